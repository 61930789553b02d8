"""Our own questions to Valkey, asked of the real one."""

from pathlib import Path

from django.conf import settings

from faults.questions import Questions
from faults.tree import Tree
from moneyflow import answers
from raceday import clock
from raceday.feed.client import FeedAnswer
from raceday.queue.broker import StreamBroker, valkey


def test_the_oldest_waiting_answer_is_found_though_it_is_packed(tmp_path: Path) -> None:
    streams = [StreamBroker(list_key="default").stream, *(answers.stream(number) for number in range(answers.SHARDS))]
    valkey().delete(*streams)
    asking = Questions(Tree(root=tmp_path, port=0, settings={"REDIS_URL": settings.REDIS_URL}))
    assert asking.oldest_waiting() is None
    begun, _ = valkey().time()  # by the clock that stamps what waits
    found = FeedAnswer(body=b"\xff\x00", encoding="gzip", polled_at=clock.now(), fetch_ms=4.0)
    answers.hand_over([("r1", found)])
    oldest = asking.oldest_waiting()
    over, _ = valkey().time()
    valkey().delete(*streams)
    assert oldest is not None
    assert begun <= oldest < over + 1

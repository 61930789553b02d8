"""The admin's pages that show rows of several apps, and the admin site itself."""

from django.apps import apps
from django.contrib import admin
from django.urls import path
from django_q.models import Failure, OrmQ, Schedule, Success

from operations.admin import calibrations, cards, entrants, late_money, polls, reconciliations, staff_actions
from operations.admin.cache import cache_page
from operations.admin.queues import queues_page
from operations.admin.tasks import FailureAdmin, TaskAdmin
from raceday.staff.login import LoginForm

__all__ = ["calibrations", "cards", "entrants", "late_money", "polls", "reconciliations", "staff_actions"]

admin.site.login_form = LoginForm
admin.site.index_title = "Race day"
admin.site.index_template = "operations/dashboard.html"
admin.site.extra_urls = lambda: [  # type: ignore[attr-defined]  # unfold's door for pages of no model
    path("queues/", admin.site.admin_view(queues_page), name="queues"),
    path("cache/", admin.site.admin_view(cache_page), name="cache"),
]
apps.get_app_config("django_q").verbose_name = "Tasks"  # in titles, where it says "Django-q2"
admin.site.unregister([Success, Failure, Schedule])
if admin.site.is_registered(OrmQ):  # the queue of a broker that is not ours
    admin.site.unregister(OrmQ)
# Schedule stays away: the poller asks for what is daily, by Raceday's clock, and q2's scheduler is off.
admin.site.register(Success, TaskAdmin)
admin.site.register(Failure, FailureAdmin)

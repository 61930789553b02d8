"""People. The User model is our own, so that it can grow without a change of every table that names it."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    pass

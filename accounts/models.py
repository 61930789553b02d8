"""People. The User model is our own, so that it can grow without a change of every table that names it."""

from django.contrib.auth.models import AbstractUser
from rest_framework.authtoken.models import TokenProxy


class User(AbstractUser):
    pass


class AccessToken(TokenProxy):
    """A user's key to the API's staff routes; titles and records name the user, never the key."""

    class Meta:
        proxy = True
        verbose_name = "access token"

    def __str__(self) -> str:
        return f"token of {self.user.get_username()}"

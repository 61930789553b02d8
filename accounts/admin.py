"""Who may log in, what they may do, and their keys to the API's staff routes."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.models import AccessToken, User
from raceday.staff.pieces import nz_time

admin.site.unregister([Group, TokenProxy])


@admin.register(User)
class StaffAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]  # unfold has no types
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class StaffGroupAdmin(GroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(AccessToken)
class AccessTokenAdmin(TokenAdmin, ModelAdmin):  # type: ignore[misc]
    """A key is shown once, when it is made; a lost one is replaced by another."""

    list_display = ("user", "made")
    list_filter = ()
    list_select_related = ("user",)

    def has_change_permission(self, request: HttpRequest, obj: AccessToken | None = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let nobody but a superuser make another user's key, and with it take that user's rights."""
        users = User.objects.all()
        if not request.user.is_superuser:
            users = users.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs, queryset=users)

    def save_model(self, request: HttpRequest, obj: AccessToken, *args: Any) -> None:
        super().save_model(request, obj, *args)
        messages.warning(request, f"Copy the key now, it is not shown again: {obj.key}")

    @admin.display(description="made, NZ", ordering="created")
    def made(self, token: AccessToken) -> str | None:
        return nz_time(token.created)

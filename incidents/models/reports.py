"""What somebody without an account wants to report, until the address is confirmed."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import AddressField
from audit.models import personal
from incidents.models.incident import Incident


class ReportQuerySet(models.QuerySet["Report"]):
    def stale(self, at: datetime) -> ReportQuerySet:
        """Those whose link is over; what was confirmed stands in its incident."""
        return self.filter(expires_at__lte=at)


class Report(models.Model):
    """A report that waits for one POST behind a mailed link. Nothing is opened before, and it is thrown away after."""

    email = personal(AddressField(_("mail address")))
    title = personal(models.CharField(_("title"), max_length=300))
    description = personal(models.TextField(_("description"), blank=True))
    urgency = models.PositiveSmallIntegerField(_("urgency"), null=True)
    locale = models.CharField(_("language"), max_length=2)
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(_("created at"))
    expires_at = models.DateTimeField(_("expires at"), db_index=True)
    incident = models.ForeignKey(
        Incident, models.CASCADE, null=True, related_name="+", verbose_name=_("incident"), db_index=False
    )

    objects = ReportQuerySet.as_manager()

    class Meta:
        verbose_name = _("unconfirmed report")
        verbose_name_plural = _("unconfirmed reports")

    def __str__(self) -> str:
        return f"report {self.pk}"

"""The doctor: settings that are allowed and yet will hurt, each finding with a link to where it is mended."""

from servicedesk.doctor.findings import Finding, Level
from servicedesk.doctor.run import CHECKS, examine

__all__ = ["CHECKS", "Finding", "Level", "examine"]

"""The tables, one file per subject. Rows and columns only: nothing here sends or decides."""

from rollcall.models.campaigns import (
    Attempt,
    AudienceMode,
    AudienceSource,
    Campaign,
    CampaignState,
    OnFailure,
    Reason,
    Recipient,
    RecipientState,
)
from rollcall.models.events import Attendance, Event, Purchase, Source
from rollcall.models.organisations import (
    ApiToken,
    AuditEntry,
    IdempotencyRecord,
    Organisation,
    Role,
    StaffMember,
)
from rollcall.models.people import (
    Channel,
    ColumnMapping,
    ConsentChange,
    ImportRun,
    Person,
    PersonFacts,
    RejectedRow,
    RfmScore,
    Suppression,
)

__all__ = [
    "ApiToken",
    "Attempt",
    "Attendance",
    "AudienceMode",
    "AudienceSource",
    "AuditEntry",
    "Campaign",
    "CampaignState",
    "Channel",
    "ColumnMapping",
    "ConsentChange",
    "Event",
    "IdempotencyRecord",
    "ImportRun",
    "OnFailure",
    "Organisation",
    "Person",
    "PersonFacts",
    "Purchase",
    "Reason",
    "Recipient",
    "RecipientState",
    "RejectedRow",
    "RfmScore",
    "Role",
    "Source",
    "StaffMember",
    "Suppression",
]

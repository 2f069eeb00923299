"""How people use the channels and how the teams answer them, set from published figures."""

from __future__ import annotations

from dataclasses import dataclass

PRIVATE_CHANNELS = ("phone", "email", "chat", "web_form", "sms", "whatsapp")
PUBLIC_CHANNELS = ("twitter", "facebook", "review")
CHANNELS = PRIVATE_CHANNELS + PUBLIC_CHANNELS

# Share of contacts by channel, in the order of CHANNELS. Phone is the first choice of 45-50 % over 55; social
# service is used by about 7 % of all and by one in five of those aged 18-24.
_MIX = {
    "18-24": (20, 14, 20, 6, 3, 14, 14, 6, 3),
    "25-34": (29, 18, 19, 7, 3, 11, 6, 4, 3),
    "35-44": (36, 22, 15, 7, 3, 8, 3, 3, 3),
    "45-54": (40, 24, 14, 7, 3, 5, 2, 2, 3),
    "55-64": (46, 21, 14, 6, 3, 4, 1, 2, 3),
    "65+": (49, 20, 13, 6, 3, 3, 1, 2, 3),
}
# The planted variant: the oldest write where others chat, so they wait longer, treated no differently.
_MIX_65_SLOW = (45, 21, 1, 28, 1, 1, 1, 1, 1)


def channel_mix(band: str, *, is_slow_for_oldest: bool) -> tuple[int, ...]:
    """Weights of CHANNELS for an age band."""
    if band == "65+" and is_slow_for_oldest:
        return _MIX_65_SLOW
    return _MIX["18-24" if band == "<18" else band]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one channel is used and answered; delays are staffed minutes, log-normal around the median."""

    team: str
    median_minutes: float
    sigma: float
    unanswered_share: float
    complaint_share: float
    praise_share: float
    more_turns: float
    thanks_share: float


BEHAVIOURS = {
    "chat": Behaviour("Digital care", 2.0, 0.9, 0.07, 0.42, 0.01, 0.64, 0.55),
    "whatsapp": Behaviour("Digital care", 14.0, 1.1, 0.10, 0.45, 0.02, 0.55, 0.50),
    "sms": Behaviour("Digital care", 22.0, 1.1, 0.12, 0.42, 0.01, 0.45, 0.35),
    "email": Behaviour("Back office", 60.0, 0.9, 0.11, 0.52, 0.02, 0.46, 0.35),
    "web_form": Behaviour("Back office", 240.0, 0.9, 0.13, 0.50, 0.02, 0.40, 0.25),
    "twitter": Behaviour("Social desk", 38.0, 1.3, 0.30, 0.66, 0.08, 0.52, 0.30),
    "facebook": Behaviour("Social desk", 75.0, 1.3, 0.36, 0.62, 0.10, 0.48, 0.25),
    "review": Behaviour("Reviews desk", 500.0, 0.9, 0.30, 0.66, 0.34, 0.06, 0.05),
}

# Response target and *ignored after* in minutes: the defaults of DESIGN section 2.
TARGET_MINUTES = {
    "phone": 1 / 3, "chat": 2, "twitter": 60, "facebook": 60, "sms": 60, "whatsapp": 60, "email": 480,
    "web_form": 480, "review": 1440,
}  # fmt: skip
IGNORED_AFTER_MINUTES = {
    "phone": 30, "chat": 60, "twitter": 1440, "facebook": 1440, "sms": 1440, "whatsapp": 1440, "email": 2880,
    "web_form": 2880, "review": 10080,
}  # fmt: skip

_Week = tuple[tuple[int, int] | None, ...]
TEAM_HOURS: dict[str, _Week] = {
    "Phone North": ((8, 20),) * 5 + ((9, 18), (10, 16)),
    "Phone South": ((8, 20),) * 5 + ((9, 18), (10, 16)),
    "Digital care": ((7, 23),) * 5 + ((8, 22), (8, 22)),
    "Social desk": ((7, 22),) * 5 + ((8, 21), (9, 20)),
    "Back office": ((8, 18),) * 5 + ((9, 13), None),
    "Reviews desk": ((9, 17),) * 5 + (None, None),
}

# Relative use by local hour of day.
_OFFICE = (1, 1, 0, 0, 0, 1, 3, 6, 12, 16, 16, 14, 12, 12, 12, 11, 11, 10, 9, 8, 7, 6, 4, 2)
_EVENING = (3, 2, 1, 1, 1, 1, 3, 6, 8, 9, 9, 9, 10, 9, 9, 9, 10, 12, 13, 14, 14, 13, 9, 5)
CONTACT_HOURS = {
    "phone": (0,) * 8 + (9, 14, 15, 13, 11, 11, 11, 10, 10, 9, 0, 0) + (0,) * 4,
    "chat": (1, 1, 1, 0, 0, 1, 2, 5, 9, 11, 11, 10, 10, 9, 9, 9, 10, 11, 12, 12, 11, 9, 5, 2),
    "sms": _EVENING, "whatsapp": _EVENING, "twitter": _EVENING, "facebook": _EVENING,
    "email": _OFFICE, "web_form": _OFFICE, "review": _EVENING,
}  # fmt: skip
WEEKDAY_WEIGHTS = (125, 112, 106, 102, 98, 70, 55)

PHONE_QUEUES = {
    "billing": "Billing", "cancel": "Billing", "broadband_down": "Faults", "slow_speed": "Faults",
    "mobile_signal": "Faults", "router": "Faults", "engineer": "Faults",
}  # fmt: skip
AGENTS = {
    "Phone North": (
        "Alan P.",
        "Bina S.",
        "Carys W.",
        "Dev R.",
        "Edith M.",
        "Femi O.",
        "Gail T.",
        "Hugo L.",
        "Iris B.",
    ),
    "Phone South": ("Jack D.", "Kemi A.", "Leo F.", "Mina H.", "Noel C.", "Olga V.", "Paul G.", "Rosa N."),
    "Digital care": (
        "Sami K.",
        "Tess J.",
        "Umar Y.",
        "Vera Q.",
        "Will E.",
        "Xena Z.",
        "Yara I.",
        "Zoe U.",
        "Ada P.",
    ),
    "Social desk": ("Ben C.", "Cleo D.", "Dora E.", "Eli F."),
    "Back office": ("Fay G.", "Gus H.", "Hal I.", "Ida J.", "Joe K.", "Kit L.", "Lou M."),
    "Reviews desk": ("May N.", "Ned O."),
}
# One agent changes team in the middle of the period.
MOVED_AGENT, MOVED_TO = "Iris B.", "Digital care"

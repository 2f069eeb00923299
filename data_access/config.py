"""Settings: one frozen value read from the shipped defaults and the file beside the store."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers

from data_access.calendars import ALWAYS, Calendar, CalendarUse, Hours, calendar_of, use_of
from data_access.errors import MappingError
from data_access.vocabulary import CHANNELS, IDENTITY_KINDS

DEFAULTS_FILE = Path(__file__).with_name("defaults.toml")
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*$")
_UNIT_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_CLOCKS = ("calendar", "business")
MOST_WINDOW_DAYS = 366
_MOST_SHORT_SECONDS = 86_400  # of an abandon that is called short


@dataclasses.dataclass(frozen=True)
class Threshold:
    """Response target and *ignored after* of some channels, in seconds, from a local date on.

    Source of the defaults: DESIGN section 2, "response target, ignored after".
    """

    channels: tuple[str, ...]
    target_seconds: int
    ignored_after_seconds: int
    clock: str = "calendar"
    brand: str | None = None
    team: str | None = None
    in_force_from: dt.date | None = None

    @property
    def specificity(self) -> int:
        """How narrowly the entry is meant: a team counts for more than a brand."""
        return (2 if self.team else 0) + (1 if self.brand else 0)


@dataclasses.dataclass(frozen=True)
class IdentityRules:
    """What joins customers across channels. See `[identity]` in `defaults.toml`."""

    joins: tuple[str, ...]
    phone_region: str
    shared_after: int
    chained_after: int
    never_joins: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class JoinedUp:
    """How contacts of one customer are followed across channels. Source of the defaults: DESIGN section 2."""

    window_days: int = 7
    restated_similarity: float = 0.25
    silent_after_days: int = 90


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a company decides: zone, bands, thresholds and definitions. Stored with each derive."""

    company: str
    simulated: bool
    zone: str
    age_bands: tuple[str, ...]
    short_abandon_seconds: int
    brand_words: tuple[str, ...]
    cues_file: str
    preset_public: str
    preset_private: str
    unknown_time_counts_as: str
    accounts: tuple[tuple[str, str, str], ...]
    thresholds: tuple[Threshold, ...]
    identity: IdentityRules
    calendars: tuple[Calendar, ...] = ()
    calendar_uses: tuple[CalendarUse, ...] = ()
    joined_up: JoinedUp = dataclasses.field(default_factory=JoinedUp)

    def to_json(self) -> str:
        """Canonical JSON: equal settings give equal text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, default=str)

    def fingerprint(self) -> str:
        """Short hash of all settings; a different one means that the store must be derived again."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def company_accounts(self, source: str) -> dict[str, str]:
        """Account (lower case) to brand, as named in the settings of one source."""
        return {account.lower(): brand for name, account, brand in self.accounts if name == source}

    def calendar_for(self, channel: str, brand: str | None, team: str | None) -> str:
        """Name of the calendar by which such contacts are answered; "" where they are at all hours."""
        fitting = [
            use
            for use in self.calendar_uses
            if use.channel in (None, channel) and use.brand in (None, brand) and use.team in (None, team)
        ]
        if not fitting:
            return ALWAYS
        return max(fitting, key=lambda u: (u.team is not None, u.brand is not None, u.channel is not None)).calendar

    def threshold_for(self, channel: str, brand: str | None, team: str | None, day: dt.date) -> Threshold:
        """The entry in force for one contact; see `defaults.toml` for the order of precedence."""
        fitting = [
            t
            for t in self.thresholds
            if channel in t.channels
            and t.brand in (None, brand)
            and t.team in (None, team)
            and (t.in_force_from is None or t.in_force_from <= day)
        ]
        if not fitting:
            raise MappingError(f"settings: no threshold in force for channel {channel!r} on {day}")
        return max(fitting, key=lambda t: (t.specificity, t.in_force_from or dt.date.min))


def settings_from_json(text: str) -> Settings:
    """The settings that a derive stored."""
    raw = json.loads(text)
    raw["thresholds"] = tuple(
        Threshold(
            **{
                **t,
                "channels": tuple(t["channels"]),
                "in_force_from": dt.date.fromisoformat(t["in_force_from"]) if t["in_force_from"] else None,
            }
        )
        for t in raw["thresholds"]
    )
    for name in ("age_bands", "brand_words"):
        raw[name] = tuple(raw[name])
    raw["calendars"] = tuple(_calendar_from_json(entry) for entry in raw["calendars"])
    raw["calendar_uses"] = tuple(CalendarUse(**entry) for entry in raw["calendar_uses"])
    raw["accounts"] = tuple((a, b, c) for a, b, c in raw["accounts"])
    identity = {**raw["identity"], **{name: tuple(raw["identity"][name]) for name in ("joins", "never_joins")}}
    raw["identity"] = IdentityRules(**identity)
    raw["joined_up"] = JoinedUp(**raw["joined_up"])
    return Settings(**raw)


def _calendar_from_json(raw: dict[str, Any]) -> Calendar:
    hours = tuple(
        Hours(
            dt.date.fromisoformat(entry["since"]) if entry["since"] else None,
            tuple(tuple((start, end) for start, end in day) for day in entry["shifts"]),
        )
        for entry in raw["hours"]
    )
    closed_days = tuple(dt.date.fromisoformat(day) for day in raw["closed_days"])
    return Calendar(**{**raw, "hours": hours, "closed_days": closed_days})


def read_settings(path: Path | None = None) -> Settings:
    """Shipped defaults, overridden by the entries of `path`.

    Thresholds of the file are added to the defaults; an entry for the same channel, brand, team and
    date replaces one. Raises MappingError naming file and entry.
    """
    merged = _read_toml(DEFAULTS_FILE)
    where = str(DEFAULTS_FILE)
    if path is not None and path.exists():
        where = str(path)
        own = _read_toml(path)
        if "repeat_contact_days" in own:  # its name before schema version 2
            own["joined_up"] = {"window_days": own.pop("repeat_contact_days"), **own.get("joined_up", {})}
        unknown = sorted(set(own) - set(merged))
        if unknown:
            known = ", ".join(sorted(merged))
            raise MappingError(f"{where}: unknown setting {unknown[0]!r}; known are {known}")
        _check_shapes(own, where)
        own_thresholds = own.pop("thresholds", [])
        for number, entry in enumerate(own_thresholds, 1):  # by their number in this file
            _threshold_of(entry, f"{where}: thresholds entry {number}")
        thresholds = merged["thresholds"] + own_thresholds
        accounts = {**merged["accounts"], **own.pop("accounts", {})}
        calendars = {**merged["calendars"], **own.pop("calendars", {})}
        identity = {**merged["identity"], **own.pop("identity", {})}
        joined_up = {**merged["joined_up"], **own.pop("joined_up", {})}
        merged = {**merged, **own, "thresholds": thresholds, "accounts": accounts, "calendars": calendars}
        merged |= {"identity": identity, "joined_up": joined_up}
        if isinstance(merged["cues_file"], str) and merged["cues_file"]:
            cues = path.parent / merged["cues_file"]  # beside the settings, unless absolute
            if not cues.is_file():
                raise MappingError(f"{where}: cues_file names {cues}, which is not there")
            merged["cues_file"] = str(cues)
    return _settings_of(merged, where)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise MappingError(f"{path}: not valid TOML: {problem}") from problem
    except OSError as problem:
        raise MappingError(f"{path}: cannot be read: {problem.strerror}") from problem


def _check_shapes(raw: dict[str, Any], where: str) -> None:
    """Lists and tables are where they are expected, so that their entries can be checked by name."""
    for name in ("thresholds", "calendar_use", "age_bands", "brand_words"):
        given = raw.get(name, [])
        if not isinstance(given, list):
            raise MappingError(f"{where}: {name} must be a list, not {given!r}")
        kind, words = (dict, "a table") if name in ("thresholds", "calendar_use") else (str, "a text")
        for number, entry in enumerate(given, 1):
            if not isinstance(entry, kind):
                raise MappingError(f"{where}: {name} entry {number} must be {words}, not {entry!r}")
    for name in ("accounts", "calendars", "joined_up"):
        given = raw.get(name, {})
        if not isinstance(given, dict):
            raise MappingError(f"{where}: {name} must be a table, not {given!r}")
        if name == "joined_up":
            continue
        for key, table in given.items():
            if not isinstance(table, dict):
                raise MappingError(f"{where}: {name}.{key} must be a table, not {table!r}")
    if not isinstance(raw.get("identity", {}), dict):
        raise MappingError(f"{where}: identity must be a table, not {raw['identity']!r}")
    for source, table in raw.get("accounts", {}).items():
        for account, brand in table.items():
            if not isinstance(brand, str):
                raise MappingError(f"{where}: accounts.{source} {account} must be a text, not {brand!r}")


def _settings_of(raw: dict[str, Any], where: str) -> Settings:
    expected: dict[str, Any] = {
        "company": str,
        "simulated": bool,
        "zone": str,
        "age_bands": list,
        "short_abandon_seconds": int,
        "brand_words": list,
        "cues_file": str,
        "preset_public": str,
        "preset_private": str,
        "unknown_time_counts_as": str,
    }
    for name, kind in expected.items():
        if not isinstance(raw[name], kind):
            raise MappingError(f"{where}: {name} must be a {kind.__name__}, not {raw[name]!r}")
    short = raw["short_abandon_seconds"]
    if type(short) is not int or not 0 <= short <= _MOST_SHORT_SECONDS:
        raise MappingError(
            f"{where}: short_abandon_seconds must be a whole number from 0 to {_MOST_SHORT_SECONDS}, not {short!r}"
        )
    try:
        ZoneInfo(raw["zone"])
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise MappingError(f"{where}: zone {raw['zone']!r} is not an IANA time zone") from problem
    if raw["unknown_time_counts_as"] not in ("answered", "unanswered"):
        raise MappingError(f"{where}: unknown_time_counts_as must be 'answered' or 'unanswered'")
    _check_age_bands(raw["age_bands"], where)
    replaced: dict[tuple[Any, ...], Threshold] = {}
    for number, entry in enumerate(raw["thresholds"], 1):
        threshold = _threshold_of(entry, f"{where}: thresholds entry {number}")
        for channel in threshold.channels:
            key = (channel, threshold.brand, threshold.team, threshold.in_force_from)
            replaced[key] = dataclasses.replace(threshold, channels=(channel,))
    calendars = {
        name: calendar_of(name, entry, f"{where}: calendars.{name}") for name, entry in raw["calendars"].items()
    }
    uses = tuple(
        use_of(entry, calendars, f"{where}: calendar_use entry {number}")
        for number, entry in enumerate(raw["calendar_use"], 1)
    )
    accounts = tuple(
        (source, account, brand)
        for source, table in sorted(raw["accounts"].items())
        for account, brand in sorted(table.items())
    )
    plain: dict[str, Any] = {name: tuple(raw[name]) if kind is list else raw[name] for name, kind in expected.items()}
    return Settings(
        **plain,
        accounts=accounts,
        thresholds=tuple(replaced.values()),
        identity=_identity_of(raw["identity"], f"{where}: identity"),
        calendars=tuple(calendars[name] for name in sorted(calendars)),
        calendar_uses=uses,
        joined_up=_joined_up_of(raw["joined_up"], where),
    )


def _identity_of(entry: dict[str, Any], where: str) -> IdentityRules:
    names = [field.name for field in dataclasses.fields(IdentityRules)]
    unknown = sorted(set(entry) - set(names))
    if unknown:
        raise MappingError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(names)}")
    for name in ("joins", "never_joins"):
        if not isinstance(entry[name], list) or not all(isinstance(value, str) for value in entry[name]):
            raise MappingError(f"{where}: {name} must be a list of texts, not {entry[name]!r}")
    for kind in entry["joins"]:
        if kind not in IDENTITY_KINDS:
            raise MappingError(f"{where}: joins: unknown kind {kind!r}; known are {', '.join(IDENTITY_KINDS)}")
    for name in ("shared_after", "chained_after"):
        if type(entry[name]) is not int or entry[name] < 1:
            raise MappingError(f"{where}: {name} must be a whole number from 1, not {entry[name]!r}")
    region = entry["phone_region"]
    if region != "" and region not in phonenumbers.SUPPORTED_REGIONS:
        raise MappingError(f"{where}: phone_region must be a country such as 'GB', or empty, not {region!r}")
    return IdentityRules(**{**entry, "joins": tuple(entry["joins"]), "never_joins": tuple(entry["never_joins"])})


def _joined_up_of(raw: dict[str, Any], where: str) -> JoinedUp:
    """The table `[joined_up]`, each value within its bounds."""
    bounds: dict[str, tuple[float, float]] = {
        "window_days": (1, MOST_WINDOW_DAYS),
        "restated_similarity": (0.05, 1.0),
        "silent_after_days": (1, 3650),
    }
    unknown = sorted(set(raw) - set(bounds))
    if unknown:
        raise MappingError(f"{where}: unknown setting joined_up.{unknown[0]}; known are {', '.join(bounds)}")
    for name, (low, high) in bounds.items():
        value, is_whole = raw[name], name.endswith("_days")
        if type(value) not in ((int,) if is_whole else (int, float)) or not low <= value <= high:
            kind = "days, a whole number" if is_whole else "a number"
            raise MappingError(f"{where}: joined_up.{name} must be {kind} from {low:g} to {high:g}, not {value!r}")
    return JoinedUp(raw["window_days"], float(raw["restated_similarity"]), raw["silent_after_days"])


def _threshold_of(entry: dict[str, Any], where: str) -> Threshold:
    known = {"channel", "target", "ignored_after", "clock", "brand", "team", "from"}
    unknown = sorted(set(entry) - known)
    if unknown:
        raise MappingError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    for name in ("brand", "team"):
        if not isinstance(entry.get(name, ""), str):
            raise MappingError(f"{where}: {name} must be a text, not {entry[name]!r}")
    named = entry.get("channel", [])
    channels = tuple(named if isinstance(named, list) else [named])
    for channel in channels or ("",):
        if channel not in CHANNELS:
            raise MappingError(f"{where}: unknown channel {channel!r}; known are {', '.join(CHANNELS)}")
    clock = entry.get("clock", "calendar")
    if clock not in _CLOCKS:
        raise MappingError(f"{where}: clock must be calendar or business, not {clock!r}")
    since = entry.get("from")
    if since is not None and (not isinstance(since, dt.date) or isinstance(since, dt.datetime)):
        raise MappingError(f"{where}: from must be a date such as 2026-01-31, not {since!r}")
    target = duration_seconds(entry.get("target"), f"{where}: target")
    ignored_after = duration_seconds(entry.get("ignored_after"), f"{where}: ignored_after")
    if ignored_after < target:
        raise MappingError(f"{where}: ignored_after must not be shorter than target")
    return Threshold(channels, target, ignored_after, clock, entry.get("brand"), entry.get("team"), since)


def duration_seconds(value: object, where: str) -> int:
    """Seconds of a text such as '20 s', '30 min', '8 h' or '7 d'."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        raise MappingError(f"{where} must be a duration such as '20 s', '30 min', '8 h' or '7 d', not {value!r}")
    return round(float(match[1]) * _UNIT_SECONDS[match[2]])


def _check_age_bands(bands: list[str], where: str) -> None:
    """Every age has exactly one band: they follow each other from 0 to an open end."""
    if not bands:
        raise MappingError(f"{where}: age_bands is empty; name bands such as '<18', '18-64', '65+'")
    following = 0
    for number, band in enumerate(bands, 1):
        entry = f"{where}: age_bands entry {number} ({band!r})"
        low, high = age_band_bounds(band, where)
        if high < low:
            raise MappingError(f"{entry} holds no age")
        if low < following:
            raise MappingError(f"{entry} overlaps the entries before; it must begin at {following}")
        if low > following:
            raise MappingError(f"{entry} leaves a gap; it must begin at {following}")
        following = high + 1
    if not bands[-1].endswith("+"):
        raise MappingError(f"{where}: age_bands entry {len(bands)} ({bands[-1]!r}) must be open, such as '{low}+'")


def age_band_bounds(band: str, where: str = "settings") -> tuple[int, int]:
    """Lowest and highest age of a band such as '<18', '18-24' or '65+', both inclusive."""
    if match := re.fullmatch(r"<(\d+)", band):
        return 0, int(match[1]) - 1
    if match := re.fullmatch(r"(\d+)-(\d+)", band):
        return int(match[1]), int(match[2])
    if match := re.fullmatch(r"(\d+)\+", band):
        return int(match[1]), 200
    raise MappingError(f"{where}: age band {band!r} is none of '<18', '18-24', '65+'")

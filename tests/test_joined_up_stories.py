"""The back door that the demo company plants is found, over three seeds; where it is not planted, nothing is."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data_access.demo import ALL_STORIES, DemoTruth, write_demo_sources
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.conversations import selected_rows
from data_access.reports import run_report
from data_access.sources.mapping import read_mapping
from data_access.store import open_reader, read_status, resolved, settings_file

SCALE = 0.1
SEEDS = (7, 11, 23)


class Year:
    """One simulated company: what happened, and what the reports say."""

    def __init__(self, folder: Path, seed: int, plant: frozenset[str]) -> None:
        self.truth: DemoTruth = write_demo_sources(folder, seed=seed, scale=SCALE, plant=plant)
        url = f"duckdb:///{folder / 'store'}"
        settings_file(url).parent.mkdir()
        settings_file(url).write_text((folder / "settings.toml").read_text())
        files = [LoadOrder(folder / "customers.csv", "customers")]
        for name in ("messages", "social", "calls"):
            files.append(LoadOrder(folder / f"{name}.csv", "csv", read_mapping(folder / f"{name}.toml")))
        load(url, files)
        self.engine = open_reader(url)
        self.wanted = resolved(Filter(), read_status(self.engine, url))

    def report(self, name: str) -> pd.DataFrame:
        return run_report(self.engine, name, self.wanted)

    def rows(self, measure: str) -> pd.DataFrame:
        return selected_rows(self.engine, Selection(self.wanted, measure))


@pytest.fixture(scope="module", params=SEEDS)
def planted(request, tmp_path_factory) -> Year:
    return Year(tmp_path_factory.mktemp("planted"), request.param, ALL_STORIES)


@pytest.fixture(scope="module", params=SEEDS)
def unplanted(request, tmp_path_factory) -> Year:
    return Year(tmp_path_factory.mktemp("unplanted"), request.param, ALL_STORIES - {"back_door"})


def test_the_planted_back_door_is_found_post_by_post(planted):
    posts = {pair.second_id for pair in planted.truth.back_door_pairs}
    assert len(posts) >= 15
    found = set(planted.rows("back_door")["external_id"])
    assert found <= posts
    assert len(found) >= 0.9 * len(posts)  # the texts must be read as complaints, too


def test_the_true_share_lies_in_the_interval(planted):
    posts = len({pair.second_id for pair in planted.truth.back_door_pairs})
    true_share = posts / planted.truth.known_public_complaint_count
    row = planted.report("back_door").iloc[0]
    assert row["back_door_share_low"] <= true_share <= row["back_door_share_high"]
    assert planted.truth.stories["back_door"].known_on_private_count == planted.truth.known_public_complaint_count


def test_the_arrows_are_those_of_the_truth_with_their_waits(planted):
    """Per conversation: the first complaint that is read in a thread, nearly always the opening post."""
    longest = {}
    for pair in planted.truth.back_door_pairs:
        longest[pair.second_id] = max(longest.get(pair.second_id, pair), pair, key=lambda p: p.hours_between)
    firsts = planted.rows("back_door").sort_values("front_waited_minutes").drop_duplicates("external_id")
    later = []
    for row in firsts.itertuples():
        pair = longest[row.external_id]
        assert (row.front_channel, row.channel) == (pair.first_channel, pair.second_channel)
        later.append(row.front_waited_minutes - pair.hours_between * 60)
    assert min(later) > -0.1
    assert sum(minutes < 0.1 for minutes in later) >= 0.9 * len(later)
    flow = planted.report("back_door_flow")
    arrows = {(arrow.front_channel, arrow.public_channel) for arrow in planted.truth.back_door_arrows}
    assert set(zip(flow["front_channel"], flow["channel"], strict=True)) <= arrows
    assert flow["back_door_count"].sum() == planted.report("back_door").iloc[0]["back_door_count"]


def test_failed_contacts_that_came_out_are_those_of_the_truth(planted):
    assert set(planted.rows("came_out")["external_id"]) <= {pair.first_id for pair in planted.truth.back_door_pairs}
    unanswered = planted.truth.unanswered_ids
    never = set(planted.rows("failed_contacts")["external_id"]) & unanswered
    assert len(never) > 100


def test_repeat_contacts_and_first_contact_resolution_are_those_of_the_truth(planted):
    truth = planted.truth.first_contacts
    row = planted.report("repeat_contacts_any_topic").iloc[0]
    assert (row["conversation_count"], row["repeat_count"]) == (truth.contact_count, truth.repeat_count)
    assert row["judged_count"] == pytest.approx(truth.judged_count, rel=0.01)  # sources end at their newest event
    for name in ("no_further_contact", "no_further_contact_same_channel"):
        true_share = getattr(truth, f"{name}_count") / truth.judged_count
        assert row[f"{name}_share_low"] <= true_share <= row[f"{name}_share_high"]
    pairs = {pair.second_id for pair in planted.truth.repeat_contact_pairs}
    assert pairs <= set(planted.rows("repeat_contacts_any_topic")["external_id"])
    fitting = planted.report("repeat_contacts").iloc[0]
    assert 0.5 * truth.repeat_count < fitting["repeat_count"] <= truth.repeat_count  # topics are read from texts


def test_where_no_back_door_is_planted_none_is_found(unplanted):
    row = unplanted.report("back_door").iloc[0]
    background = len({pair.second_id for pair in unplanted.truth.back_door_pairs})
    assert row["known_private_count"] > 60
    assert row["back_door_count"] <= background + 1
    assert row["back_door_share_low"] < 0.01
    assert unplanted.report("front_doors")["came_out_count"].sum() <= background + 1

import json
import shutil

import pytest

from data_access.text import CueFileError, TextSettings, read_batch
from data_access.text.cues import CUES_FILE, load_cues

SETTINGS = TextSettings(detect_language=False)


def read(*texts: str, inbound: bool = True, public: bool = False, settings: TextSettings = SETTINGS, **more):
    count = len(texts)
    return read_batch(list(texts), inbound=[inbound] * count, public=[public] * count, settings=settings, **more)


@pytest.mark.parametrize(
    "text",
    [
        "I want my money back, the heater is broken",
        "Still waiting for my parcel, 3 weeks now",
        "Nobody answers your phone. Ridiculous.",
        "You charged me twice this month",
        "I would like to make a complaint",
        "worst company ever, I am switching",
    ],
)
@pytest.mark.parametrize("public", [True, False])
def test_dissatisfaction_is_a_complaint_under_both_presets(text, public):
    found = read(text, public=public)
    assert found["is_complaint"] == [True]
    assert found["complaint_scorer"] == ["cues/strict/1" if public else "cues/sensitive/1"]


@pytest.mark.parametrize(
    "text",
    [
        "Thank you, lovely service!",
        "What time do you open tomorrow?",
        "Just entered to win a phone from them",
        "I love the new menu",
    ],
)
def test_thanks_questions_and_talk_are_no_complaints(text):
    assert read(text)["is_complaint"] == [False]


def test_agents_replies_get_sentiment_but_no_complaint_topic_or_blamed_channel():
    found = read("We are sorry that you were on hold so long, this is unacceptable", inbound=False)
    assert found["sentiment_label"] == ["negative"]
    assert found["is_complaint"] == [None]
    assert found["complaint_score"] == [None]
    assert found["complaint_scorer"] == [None]
    assert found["topics"] == [[]]
    assert found["blamed_channel"] == [None]
    assert found["evidence"] == [None]
    assert found["needs_reply"] == [True]


def test_evidence_names_the_cues_their_words_and_weights_and_the_score_is_made_of_them():
    found = read("My refund is late and nobody answers the phone")
    evidence = json.loads(found["evidence"][0])
    groups = {group: words for group, words, _ in evidence["complaint"]}
    assert groups["refund"] == "refund"
    assert set(evidence) == {"complaint", "topics", "blamed_channel"}
    assert evidence["blamed_channel"][0][0] == "phone"
    assert "refund" in evidence["topics"]
    weights = sum(weight for _, _, weight in evidence["complaint"])
    expected = weights - load_cues().preset("sensitive").sentiment_weight * found["sentiment_score"][0]
    assert found["complaint_score"][0] == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("I have been on hold for 45 minutes", "phone"),
        ("Your phone queue is a joke and then I was cut off", "phone"),
        ("I can't get through on the phone", "phone"),
        ("Been trying to reach you by phone all day", "phone"),
        ("Sent two emails last week and no reply", "email"),
        ("Still waiting for an answer to my email", "email"),
        ("your live chat disconnected me twice", "chat"),
        ("I filled in the contact form and never got an answer", "web_form"),
        ("Your website is down again", "web_form"),
        ("no response on whatsapp", "whatsapp"),
        ("I texted your service number and got no reply", "sms"),
        ("I sent you a DM yesterday and no one has replied", "twitter"),
        ("no reply to my facebook message", "facebook"),
        ("Instagram messages ignored for a week", "instagram"),
        ("You removed my honest review", "review"),
        ("nobody helps in your support forum", "forum"),
        ("I wrote you a letter three weeks ago and never got a reply", "letter"),
        ("The staff in your store were rude and unhelpful", "in_person"),
    ],
)
def test_the_channel_that_failed_is_blamed(text, channel):
    assert read(text)["blamed_channel"] == [channel]


@pytest.mark.parametrize(
    "text",
    [
        "Please DM me",
        "please DM us your order number",
        "Can you email me the invoice please?",
        "I'll call you tomorrow",
        "My account is on hold, why?",
        "Thanks for the quick call today, great help",
        "Where is my parcel? It has not moved for 4 days",
    ],
)
def test_naming_a_channel_blames_nothing(text):
    assert read(text)["blamed_channel"] == [None]


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("I was billed twice, check the invoice", "billing"),
        ("the courier left my parcel in the rain", "delivery"),
        ("no internet since noon", "outage_fault"),
        ("I forgot my password and am locked out", "account_login"),
        ("how do I cancel my subscription", "cancellation"),
        ("someone hacked me, this is fraud", "fraud_security"),
        ("your prices are too expensive, any discount?", "price"),
        ("the driver was so rude, what an attitude", "staff_behaviour"),
        ("stuck in the queue, waiting and waiting", "waiting_queue"),
    ],
)
def test_the_primary_topic_comes_first(text, topic):
    assert read(text)["topics"][0][0] == topic


def test_a_text_may_have_several_topics_or_none():
    several, none = read("Flight cancelled, and where is my refund?", "hmm well")["topics"]
    assert {"refund", "cancellation", "booking_travel"} <= set(several)
    assert none == []


@pytest.mark.parametrize(
    "text",
    [
        "Thanks!",
        "thank you so much for your quick reply",
        "ok got it",
        "Perfect, thank you 👍",
        "👍",
        "ok thanks bye",
        "you're welcome",
        "Great service today, your staff were amazing!",
        "Congratulations you have won, click here to claim your prize",
    ],
)
def test_bare_thanks_praise_closings_and_spam_need_no_reply(text):
    assert read(text)["needs_reply"] == [False]


@pytest.mark.parametrize(
    "text",
    [
        "Thanks, but it still does not work",
        "Thanks for nothing",
        "thank you in advance",
        "thank you, when will it arrive?",
        "Thanks. My order number is 12345",
        "Yes please",
        "Yes",
        "Done",
        "Hello",
        "",
        "Thank you for your help yesterday, could you also cancel my order",
        "Thanks a lot for losing my bag",
        "Great, another delay",
        "Thank you for contacting me, I will send the form",
        "Perfect example of bad service",
        "great job guys... lost again",
        "Brilliant. Just brilliant. Stuck again",
        "lovely people, pic attached",
    ],
)
def test_anything_that_may_ask_for_something_needs_a_reply(text):
    assert read(text)["needs_reply"] == [True]


@pytest.mark.parametrize(
    ("changed", "line", "reason"),
    [
        (("weight = 0.9", "weight = 'much'"), 34, "weight of [complaint.not_working] must be a number"),
        (("weight = 0.9", "weight = -0.9"), 34, "must be above zero"),
        (('"mechanical"', '"mech-anical"'), None, "is not one word and could never match"),
        (("[topic.billing]", "[topic.Billing]"), None, "lower-case"),
        (("[blamed_channel.phone]", "[blamed_channel.fax]"), None, "'fax' is not a channel"),
        (("[presets.strict]", "[presets.loose]"), None, "[presets.strict] is missing"),
        (("version = 1", "version = 7"), None, "version"),
        (("[presets.strict]", "[presets.strict"), None, "]"),
        (("[topic.refund]\npatterns", "[topic.refund]\npattern"), None, "'pattern' is not known"),
        (("praise_longest = 40", "praise_longest = true"), None, "must be a number"),
        (
            ("[complaint.signs]", "[surprise]\nx = 1\n\n[complaint.signs]"),
            None,
            "the section 'surprise' is not known",
        ),
        (('not = ["not"', "not = [1"), None, "list of words"),
    ],
)
def test_a_mistake_in_the_cue_file_is_said_with_file_line_and_reason(tmp_path, changed, line, reason):
    before, after = changed
    text = CUES_FILE.read_text(encoding="utf-8")
    assert before in text
    text = text.replace(before, after, 1)
    path = tmp_path / "cues.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CueFileError) as told:
        read("hello", settings=TextSettings(cues_file=str(path)))
    message = str(told.value)
    assert message.startswith(f"{path}, line ")
    assert reason in message
    number = int(message.split("line ")[1].split(":", maxsplit=1)[0])
    lines = text.splitlines()
    if line is not None:
        assert number == next(place for place, one in enumerate(lines, 1) if one.startswith(after))
    assert 1 <= number <= len(lines)


def test_a_wrong_pattern_is_reported_at_its_own_line(tmp_path):
    path = tmp_path / "cues.toml"
    shutil.copy(CUES_FILE, path)
    with path.open("a", encoding="utf-8") as file:
        file.write('\n[topic.parking]\npatterns = [\n  "car park",\n  "park-and-ride",\n]\n')
    expected = path.read_text(encoding="utf-8").splitlines().index('  "park-and-ride",') + 1
    with pytest.raises(CueFileError, match=f"line {expected}: pattern 'park-and-ride'"):
        load_cues(str(path))


def test_an_absent_or_unreadable_cue_file_is_said(tmp_path):
    with pytest.raises(CueFileError, match="cannot be read"):
        load_cues(str(tmp_path / "absent.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CueFileError, match="cannot be read"):
        load_cues(str(tmp_path / "binary.toml"))


def test_an_own_cue_file_changes_what_is_found(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        "version = 1\n[presets.strict]\nthreshold = 1\n[presets.sensitive]\nthreshold = 1\n"
        '[complaint.rain]\nweight = 2\npatterns = ["it rains"]\n[topic.weather]\npatterns = ["rain*"]\n',
        encoding="utf-8",
    )
    found = read("It rains", settings=TextSettings(cues_file=str(path)))
    assert found["is_complaint"] == [True]
    assert found["complaint_score"] == [2.0]
    assert found["topics"] == [["weather"]]


def test_an_edited_cue_file_is_read_again(tmp_path):
    path = tmp_path / "own.toml"
    shutil.copy(CUES_FILE, path)
    settings = TextSettings(cues_file=str(path))
    assert read("the aquarium", settings=settings)["topics"] == [[]]
    path.write_text(path.read_text(encoding="utf-8") + '\n[topic.fish]\npatterns = ["aquarium"]\n', encoding="utf-8")
    assert read("the aquarium", settings=settings)["topics"] == [["fish"]]


def test_an_unknown_preset_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="sensitive, strict"):
        read("hello", settings=TextSettings(preset_private="mild"))

"""Published figures that can be switched on as reference lines, each with source, year and population.

They were measured on other populations with other definitions: a line is a landmark, not a target.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class PublishedFigure:
    """One figure. `metric` is the metric it can stand beside; `channel`, `age_group` where of one."""

    name: str
    metric: str
    value: float
    words: str
    population: str
    source: str
    year: str
    caveat: str
    channel: str | None = None
    age_group: str | None = None


_OTHER_COUNT = "Counted by consumers' memory or by outside readers, not by complaint and fixed horizon as here."

FIGURES = (
    PublishedFigure(
        "twitter_complaints_ignored",
        "ignored_share",
        0.71,
        "71 % of Twitter complaints ignored",
        "1,298 US consumers who had complained on Twitter; 29 % got an answer",
        "Maritz/evolve24",
        "September 2011",
        "Asked of consumers; often misquoted as 71 % of companies.",
        channel="twitter",
    ),
    PublishedFigure(
        "facebook_posts_answered",
        "answered_share",
        0.05,
        "about 5 % of Facebook wall posts answered",
        "wall posts to companies",
        "customer-care conference, UK",
        "November 2011",
        _OTHER_COUNT,
        channel="facebook",
    ),
    PublishedFigure(
        "retailer_tweets_answered",
        "answered_share",
        0.44,
        "44 % of customer tweets answered",
        "top 25 US online retailers",
        "industry survey",
        "2012",
        _OTHER_COUNT,
        channel="twitter",
    ),
    PublishedFigure(
        "brand_tweets_answered",
        "answered_share",
        0.22,
        "22 % of tweets answered",
        "100 top brands",
        "industry survey",
        "2014/15",
        _OTHER_COUNT,
        channel="twitter",
    ),
    PublishedFigure(
        "social_users",
        "customer_share",
        0.068,
        "6.8 % regularly use social media for service",
        "1,400 UK consumers",
        "[24]7",
        "about 2012",
        "Of people asked, whether or not they contacted a company; here of customers who did.",
        channel="social",
    ),
    PublishedFigure(
        "social_users_young",
        "customer_share",
        0.20,
        "one in five of 18-24s use social media for service",
        "1,400 UK consumers",
        "[24]7",
        "about 2012",
        "Of people asked, whether or not they contacted a company; here of customers who did.",
        channel="social",
        age_group="18-24",
    ),
    PublishedFigure(
        "email_users",
        "customer_share",
        0.75,
        "75 % of consumers use email for service issues",
        "consumers and organisations in the UK",
        "CCA with Ipsos MORI, sponsored by Verint",
        "about 2011",
        "Of people asked, over any time; here of customers within the period.",
        channel="email",
    ),
    PublishedFigure(
        "phone_first_choice_55",
        "customer_share",
        0.45,
        "phone first choice of 45 % of baby boomers",
        "contact centres worldwide",
        "Dimension Data benchmark",
        "2013/14",
        "First choice as contact centres report it; here customers who used the channel at all.",
        channel="phone",
        age_group="55-64",
    ),
    PublishedFigure(
        "phone_first_choice_65",
        "customer_share",
        0.49,
        "phone first choice of 49 % of the older",
        "contact centres worldwide",
        "Dimension Data benchmark",
        "2013/14",
        "First choice as contact centres report it; here customers who used the channel at all.",
        channel="phone",
        age_group="65+",
    ),
)


def figures_for(metric: str) -> tuple[PublishedFigure, ...]:
    """The figures that can stand beside a metric."""
    return tuple(figure for figure in FIGURES if figure.metric == metric)

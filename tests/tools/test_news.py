"""The news tools: what each does, what each refuses, and what holds in every populated world."""

from datetime import datetime
from typing import Any

import pytest

from lamsim_core.environment import Environment, Transition, World
from lamsim_core.records import ToolCall
from lamsim_core.tools import get_category
from lamsim_core.tools.news import findable_articles

SEEDS = [*range(40), *range(100_000, 100_010)]


def article(number: int, title: str, source: str, date: str, minutes: int) -> dict[str, Any]:
    facts = {"summary": f"The line has {number} stops.", "question": "how many stops", "figure": number}
    row = {"id": f"art_{number}", "title": title, "section": "science", "source": source, "author": f"Author {number}"}
    return {**row, "date": date, "minutes": minutes, **facts}


@pytest.fixture
def news() -> Environment:
    world = World(datetime(2026, 5, 20, 9, 0))
    rows: dict[str, list[dict[str, Any]]] = {
        "articles": [
            article(1, "Whales Sing at Night", "Le Fanal", "2026-05-01", 5),
            article(2, "Why Whales Dive", "Le Fanal", "2026-05-10", 9),
            article(3, "Old Whales of the North", "Veld Reporter", "2026-05-12", 4),
            article(4, "Bees Count", "Wisła Ekspres", "2026-05-18", 3),
        ],
        "news_sources": [
            {"id": "src_1", "name": "Le Fanal", "muted_until": None},
            {"id": "src_2", "name": "Veld Reporter", "muted_until": "2026-05-20"},
            {"id": "src_3", "name": "Wisła Ekspres", "muted_until": "2026-05-19"},
        ],
        "reading_lists": [
            {"id": "lst_1", "name": "Weekend", "most": 2, "article_ids": ["art_1"]},
            {"id": "lst_2", "name": "Commute", "most": 1, "article_ids": ["art_4"]},
        ],
        "news_topics": [
            {"id": f"top_{number}", "name": name, "followed": number > 1}
            for number, name in enumerate(["ceramics", "comics", "jazz", "opera", "soil", "trains", "cheese", "moss"])
        ],
        "newsletters": [
            {"id": "nwl_1", "name": "Chai Break", "source": "Le Fanal", "hours": [7, 18], "subscribed_hour": None},
            {"id": "nwl_2", "name": "Lab Notes", "source": "Veld Reporter", "hours": [7], "subscribed_hour": None},
            {"id": "nwl_3", "name": "Green Line", "source": "Le Fanal", "hours": [6], "subscribed_hour": 6},
        ],
        "article_comments": [{"id": "cmt_1", "article_id": "art_4", "text": "Nice.", "date": "2026-05-19"}],
    }
    for table, content in rows.items():
        world.add_table(table)
        for row in content:
            world.insert(table, row)
    return Environment(world, get_category("news").tools)


def call(news: Environment, tool: str, **arguments: Any) -> Transition:
    return news.step(ToolCall(id="call_0", name=tool, arguments=arguments, raw=""))


def result(news: Environment, tool: str, **arguments: Any) -> Any:
    observation = call(news, tool, **arguments).observation
    assert observation.ok, observation.content
    return observation.content


def field(news: Environment, table: str, row_id: str, name: str) -> Any:
    row = news.world.get(table, row_id)
    assert row is not None
    return row[name]


def test_search_is_newest_first_and_hides_muted_sources(news: Environment) -> None:
    assert [row["id"] for row in result(news, "search_articles", words="whales")] == ["art_2", "art_1"]
    assert [row["id"] for row in result(news, "search_articles", source="wisła EKSPRES")] == ["art_4"]
    assert len(result(news, "search_articles", section="science")) == 3
    assert result(news, "search_articles", section="food") == []


def test_reading_shows_what_is_in_an_article_and_a_list(news: Environment) -> None:
    opened = result(news, "read_article", article_id="art_2")
    assert opened["author"] == "Author 2" and opened["minutes"] == 9 and "2 stops" in opened["summary"]
    shown = result(news, "show_reading_list", list_name="weekend")
    assert shown == {"most": 2, "articles": [{"id": "art_1", "title": "Whales Sing at Night", "minutes": 5}]}


def test_a_list_takes_articles_until_it_is_full(news: Environment) -> None:
    assert result(news, "save_article", article_id="art_2", list_name="Weekend")["places_left"] == 0
    assert "full" in str(call(news, "save_article", article_id="art_4", list_name="Weekend").observation.content)
    result(news, "remove_saved_article", article_id="art_1", list_name="Weekend")
    result(news, "save_article", article_id="art_4", list_name="Weekend")
    assert field(news, "reading_lists", "lst_1", "article_ids") == ["art_2", "art_4"]


def test_topics_sources_newsletters_comments(news: Environment) -> None:
    result(news, "follow_topic", topic="Cheese", follow=False)
    assert result(news, "follow_topic", topic="comics") == {"topic": "comics", "followed": True}
    assert result(news, "mute_source", source="le fanal", days=3) == {"muted": "Le Fanal", "until": "2026-05-23"}
    assert result(news, "search_articles", words="whales") == []
    assert [row["subscribed_hour"] for row in result(news, "list_newsletters")] == [None, None, 6]
    news.reset()
    result(news, "subscribe_newsletter", newsletter_id="nwl_1", hour=18)
    assert field(news, "newsletters", "nwl_1", "subscribed_hour") == 18
    result(news, "post_article_comment", article_id="art_2", text="Lovely!")
    assert news.world.rows("article_comments")[-1]["text"] == "Lovely!"


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        ("search_articles", {}, "Give words"),
        ("search_articles", {"words": " "}, "Give words"),
        ("search_articles", {"source": "Nobody"}, "no source"),
        ("search_articles", {"source": "Veld Reporter"}, "muted"),
        ("read_article", {"article_id": "Bees Count"}, "search_articles"),
        ("show_reading_list", {"list_name": "Nope"}, "Weekend, Commute"),
        ("save_article", {"article_id": "art_1", "list_name": "Weekend"}, "already in"),
        ("save_article", {"article_id": "art_1", "list_name": "Commute"}, "at most 1"),
        ("remove_saved_article", {"article_id": "art_1", "list_name": "Commute"}, "not in Commute"),
        ("follow_topic", {"topic": "comics"}, "At most 6"),
        ("follow_topic", {"topic": "jazz"}, "already followed"),
        ("follow_topic", {"topic": "comics", "follow": False}, "not followed"),
        ("follow_topic", {"topic": "golf"}, "no topic"),
        ("mute_source", {"source": "Veld Reporter"}, "until 2026-05-20"),
        ("subscribe_newsletter", {"newsletter_id": "nwl_1", "hour": 8}, "only at these hours: 7, 18"),
        ("subscribe_newsletter", {"newsletter_id": "nwl_2", "hour": 7}, "muted"),
        ("subscribe_newsletter", {"newsletter_id": "nwl_3", "hour": 6}, "already subscribed"),
        ("post_article_comment", {"article_id": "art_1", "text": "Late."}, "closed"),
        ("post_article_comment", {"article_id": "art_4", "text": "Again."}, "already commented"),
        ("post_article_comment", {"article_id": "art_2", "text": "x" * 201}, "1 to 200"),
    ],
)
def test_refusals_say_why_and_change_nothing(
    news: Environment, tool: str, arguments: dict[str, Any], reason: str
) -> None:
    transition = call(news, tool, **arguments)
    assert transition.observation.fault == "refused"
    assert reason in str(transition.observation.content)
    assert transition.changes == () and transition.before == transition.after


@pytest.mark.parametrize("seed", SEEDS)
def test_populated_worlds_hold_their_invariants(seed: int) -> None:
    world = get_category("news").world(seed)
    articles = {row["id"]: row for row in world.rows("articles")}
    today = world.now.strftime("%Y-%m-%d")
    for name in ("title", "date", "author", "minutes"):
        assert len({row[name] for row in articles.values()}) == len(articles) == 24
    assert all(row["date"] < today and f" {row['figure']} " in f" {row['summary']} " for row in articles.values())
    sources = {row["name"]: row["muted_until"] for row in world.rows("news_sources")}
    assert {row["source"] for row in articles.values()} <= set(sources)
    assert sum(until is not None for until in sources.values()) == 1
    findable = {row["id"] for row in findable_articles(world)}
    saved = [article_id for row in world.rows("reading_lists") for article_id in row["article_ids"]]
    assert len(set(saved)) == len(saved) and set(saved) <= findable
    free = sorted(row["most"] - len(row["article_ids"]) for row in world.rows("reading_lists"))
    assert free[0] == 0 and free[1] >= 1 and free[-1] >= 2
    assert 2 <= sum(row["followed"] for row in world.rows("news_topics")) <= 3
    assert all(sources[row["source"]] is None for row in world.rows("newsletters"))

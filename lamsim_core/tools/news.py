"""A news reader: articles of many sources, reading lists with limited places, followed topics, newsletters and comments.

Sources can be muted for some days; their articles are not found while they are. Newsletters go out at certain hours only,
and comments are open for two weeks after an article appeared, one for each article.
"""

import random
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from lamsim_core.environment import (
    DAY,
    FrozenRow,
    Ids,
    ToolRefusedError,
    World,
    folded,
    has_words,
    require_named,
    require_row,
    tool,
    view,
)

TITLE = "News"
FAMILY = "reference"

Section = Literal["politics", "business", "science", "culture", "sport", "travel", "food", "technology"]
Hour = Annotated[int, Field(ge=0, le=23)]

_SHOWN = 8
_MOST_TOPICS = 6
_COMMENT_DAYS = 14
_COMMENT_LENGTH = 200


def _article(world: World, article_id: str) -> FrozenRow:
    return require_row(world, "articles", article_id, "article", see="search_articles")


def _reading_list(world: World, name: str) -> FrozenRow:
    for row in world.rows("reading_lists"):
        if folded(str(row["name"])) == folded(name):
            return row
    known = ", ".join(str(row["name"]) for row in world.rows("reading_lists"))
    raise ToolRefusedError(f"There is no reading list named {name[:80]!r}. The lists are: {known}.")


def _muted(world: World) -> set[str]:
    today = world.now.strftime(DAY)
    return {str(row["name"]) for row in world.rows("news_sources") if str(row["muted_until"] or "") >= today}


@tool(mutates=False)
def search_articles(
    world: World, words: str | None = None, section: Section | None = None, source: str | None = None
) -> list[dict[str, Any]]:
    """Find articles, newest first, at most eight. Give at least one of the arguments.

    Args:
        words: Words of the title.
        section: Only articles of this section.
        source: Only articles of this source.
    """
    if not (words or "").strip() and section is None and source is None:
        raise ToolRefusedError("Give words of the title, a section or a source.")
    name = None if source is None else require_named(world, "news_sources", source, "source")["name"]
    muted = _muted(world)
    if name in muted:
        raise ToolRefusedError(f"{name} is muted, so its articles are not shown.")
    rows = [
        row
        for row in world.rows("articles")
        if row["source"] not in muted
        and (words is None or has_words(words, str(row["title"])))
        and section in (None, row["section"])
        and name in (None, row["source"])
    ]
    rows.sort(key=lambda row: str(row["date"]), reverse=True)
    return [view(row, "id", "title", "source", "date") for row in rows[:_SHOWN]]


@tool(mutates=False)
def read_article(world: World, article_id: str) -> dict[str, Any]:
    """Open an article: its author, how long it takes to read, and a summary.

    Args:
        article_id: The article's id.
    """
    return view(_article(world, article_id), "title", "author", "section", "minutes", "summary")


@tool(mutates=False)
def show_reading_list(world: World, list_name: str) -> dict[str, Any]:
    """Show the articles of a reading list and how many it can hold.

    Args:
        list_name: Name of the reading list.
    """
    row = _reading_list(world, list_name)
    saved = [view(_article(world, str(article_id)), "id", "title", "minutes") for article_id in row["article_ids"]]
    return {"most": row["most"], "articles": saved}


@tool(mutates=True)
def save_article(world: World, article_id: str, list_name: str) -> dict[str, Any]:
    """Put an article into a reading list.

    Args:
        article_id: The article's id.
        list_name: Name of the reading list.
    """
    article, row = _article(world, article_id), _reading_list(world, list_name)
    saved = [str(saved_id) for saved_id in row["article_ids"]]
    if article_id in saved:
        raise ToolRefusedError(f"This article is already in {row['name']}.")
    if len(saved) >= row["most"]:
        raise ToolRefusedError(f"{row['name']} is full: it holds at most {row['most']} articles.")
    world.update("reading_lists", str(row["id"]), article_ids=sorted([*saved, article_id]))
    return {"saved": article["title"], "list": row["name"], "places_left": row["most"] - len(saved) - 1}


@tool(mutates=True)
def remove_saved_article(world: World, article_id: str, list_name: str) -> dict[str, Any]:
    """Take an article out of a reading list.

    Args:
        article_id: The article's id.
        list_name: Name of the reading list.
    """
    article, row = _article(world, article_id), _reading_list(world, list_name)
    saved = [str(saved_id) for saved_id in row["article_ids"]]
    if article_id not in saved:
        raise ToolRefusedError(f"This article is not in {row['name']}.", see="show_reading_list")
    saved.remove(article_id)
    world.update("reading_lists", str(row["id"]), article_ids=saved)
    return {"removed": article["title"], "list": row["name"]}


@tool(mutates=True)
def follow_topic(world: World, topic: str, follow: bool = True) -> dict[str, Any]:
    """Follow a topic, or stop following it.

    Args:
        topic: Name of the topic.
        follow: True to follow it, false to stop following it.
    """
    row = require_named(world, "news_topics", topic, "topic")
    followed = [str(other["name"]) for other in world.rows("news_topics") if other["followed"]]
    if row["followed"] == follow:
        raise ToolRefusedError(f"{row['name']} is {'already' if follow else 'not'} followed.")
    if follow and len(followed) >= _MOST_TOPICS:
        raise ToolRefusedError(f"At most {_MOST_TOPICS} topics can be followed. Followed now: {', '.join(followed)}.")
    world.update("news_topics", str(row["id"]), followed=follow)
    return {"topic": row["name"], "followed": follow}


@tool(mutates=True)
def mute_source(world: World, source: str, days: Annotated[int, Field(ge=1, le=90)] = 30) -> dict[str, Any]:
    """Hide everything from a source for some days.

    Args:
        source: Name of the source.
        days: For how many days.
    """
    row = require_named(world, "news_sources", source, "source", see="search_articles")
    if row["name"] in _muted(world):
        raise ToolRefusedError(f"{row['name']} is already muted until {row['muted_until']}.")
    until = (world.now + timedelta(days=days)).strftime(DAY)
    world.update("news_sources", str(row["id"]), muted_until=until)
    return {"muted": row["name"], "until": until}


@tool(mutates=False)
def list_newsletters(world: World) -> list[dict[str, Any]]:
    """List the newsletters one can get by email, and at which hour those subscribed to arrive."""
    return [view(row, "id", "name", "source", "subscribed_hour") for row in world.rows("newsletters")]


@tool(mutates=True)
def subscribe_newsletter(world: World, newsletter_id: str, hour: Hour) -> dict[str, Any]:
    """Subscribe to a newsletter.

    Args:
        newsletter_id: The newsletter's id.
        hour: Full hour at which it should arrive, 0 to 23.
    """
    row = require_row(world, "newsletters", newsletter_id, "newsletter", see="list_newsletters")
    if row["subscribed_hour"] is not None:
        raise ToolRefusedError(f"{row['name']} is already subscribed to, at {row['subscribed_hour']}.")
    if row["source"] in _muted(world):
        raise ToolRefusedError(f"{row['name']} comes from {row['source']}, which is muted.")
    if hour not in row["hours"]:
        offered = ", ".join(str(offered) for offered in row["hours"])
        raise ToolRefusedError(f"{row['name']} does not go out at {hour}, only at these hours: {offered}.")
    world.update("newsletters", newsletter_id, subscribed_hour=hour)
    return {"subscribed": row["name"], "hour": hour}


@tool(mutates=True)
def post_article_comment(world: World, article_id: str, text: str) -> dict[str, Any]:
    """Post a public comment under an article.

    Args:
        article_id: The article's id.
        text: The comment, 200 characters at most.
    """
    row = _article(world, article_id)
    if not text.strip() or len(text) > _COMMENT_LENGTH:
        raise ToolRefusedError(f"A comment has 1 to {_COMMENT_LENGTH} characters; this one has {len(text.strip())}.")
    if any(comment["article_id"] == article_id for comment in world.rows("article_comments")):
        raise ToolRefusedError("You have already commented on this article.")
    if world.now - datetime.strptime(str(row["date"]), DAY) > timedelta(days=_COMMENT_DAYS + 1):
        raise ToolRefusedError(f"Comments are closed {_COMMENT_DAYS} days after an article appeared.")
    comment = {"article_id": article_id, "text": text, "date": world.now.strftime(DAY)}
    world.insert("article_comments", {"id": world.new_id("cmt"), **comment})
    return {"commented_on": row["title"]}


def populate(world: World, rng: random.Random, content: dict[str, Any]) -> None:
    """Twenty-four articles of eight sources (one of them muted), four reading lists, topics, newsletters, comments."""
    world.add_table("articles", "news_sources", "reading_lists", "news_topics", "newsletters", "article_comments")
    ids = Ids(rng)
    sources = rng.sample(content["sources"], 8)
    for index, name in enumerate(sources):
        until = (world.now + timedelta(days=rng.randint(5, 40))).strftime(DAY) if index == 0 else None
        world.insert("news_sources", {"id": ids("src"), "name": name, "muted_until": until})
    authors = rng.sample(content["authors"], 24)
    headlines = rng.sample(content["headlines"], 24)
    days, minutes = rng.sample(range(1, 36), 24), rng.sample(range(2, 27), 24)
    for index, (headline, author, ago) in enumerate(zip(headlines, authors, days, strict=True)):
        row = {
            **view(headline, "title", "section"),
            "source": sources[index % len(sources)],
            "author": author,
            "date": (world.now - timedelta(days=ago)).strftime(DAY),
            "minutes": minutes[index],
            **view(headline, "summary", "question", "figure"),
        }
        world.insert("articles", {"id": ids("art"), **row})
    followed = rng.sample(range(10), rng.randint(2, 3))
    for index, name in enumerate(rng.sample(content["topics"], 10)):
        world.insert("news_topics", {"id": ids("top"), "name": name, "followed": index in followed})
    for index, name in enumerate(rng.sample(content["newsletters"], 7)):
        hours = sorted([*rng.sample(range(5, 12), 2), *rng.sample(range(15, 22), rng.randint(1, 2))])
        hour = hours[0] if index < 2 else None
        row = {"name": name, "source": sources[1 + index % 7], "hours": hours, "subscribed_hour": hour}
        world.insert("newsletters", {"id": ids("nwl"), **row})
    _fill_lists(world, rng, content, ids)


def _fill_lists(world: World, rng: random.Random, content: dict[str, Any], ids: Ids) -> None:
    """Four lists of different articles, the first full, the second with places for two; and two comments of the past."""
    readable = [str(row["id"]) for row in findable_articles(world)]
    rng.shuffle(readable)
    names = rng.sample(content["reading_lists"], 4)
    for index, name in enumerate(names):
        saved = sorted(readable.pop() for _ in range(rng.randint(3, 4)))
        most = len(saved) + (0, rng.randint(2, 3), rng.randint(1, 3), rng.randint(1, 3))[index]
        world.insert("reading_lists", {"id": ids("lst"), "name": name, "most": most, "article_ids": saved})
    for text, article_id in zip(rng.sample(content["comments"], 2), readable, strict=False):
        day = str(_article(world, article_id)["date"])
        world.insert("article_comments", {"id": ids("cmt"), "article_id": article_id, "text": text, "date": day})


def findable_articles(world: World) -> list[FrozenRow]:
    """The articles that no muted source hides."""
    return [row for row in world.rows("articles") if row["source"] not in _muted(world)]


def some_article(world: World, rng: random.Random, unsaved: bool = False, open: bool = False) -> dict[str, Any]:
    """An article one can find, for task templates: in no reading list (``unsaved``), open for a comment (``open``)."""
    saved = {saved_id for row in world.rows("reading_lists") for saved_id in row["article_ids"]}
    commented = {row["article_id"] for row in world.rows("article_comments")}
    since = (world.now - timedelta(days=_COMMENT_DAYS)).strftime(DAY)
    rows = [row for row in findable_articles(world) if not (unsaved and row["id"] in saved)]
    if open:
        rows = [row for row in rows if row["id"] not in commented and str(row["date"]) >= since]
    return dict(rng.choice(rows))


def some_list(world: World, rng: random.Random, full: bool = False) -> dict[str, Any]:
    """A reading list with a free place, or a full one, for task templates."""
    rows = [row for row in world.rows("reading_lists") if (len(row["article_ids"]) >= row["most"]) == full]
    return dict(rng.choice(rows))


def some_section(world: World, rng: random.Random) -> str:
    """A section with at least two articles one can find, for task templates."""
    sections = [str(row["section"]) for row in findable_articles(world)]
    return rng.choice(sorted({section for section in sections if sections.count(section) > 1}))


MAKERS = {"some_article": some_article, "some_list": some_list, "some_section": some_section}

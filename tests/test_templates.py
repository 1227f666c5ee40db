"""The visual house: components say what they are given, and escape it."""

import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from rollcall import charts, wording

ROOT = Path(__file__).parent.parent
VENDORED = sorted((ROOT / "static" / "vendor").glob("*/SHA256SUMS"))
NOW = datetime(2026, 11, 27, 15, 0, tzinfo=UTC)
FUNNEL = {
    "matched": 520,
    "no_address": 8,
    "invalid_address": 0,
    "blocked": 3,
    "opted_out": 12,
    "recently_messaged": 80,
    "duplicate_address": 5,
    "reachable": 412,
}
META = {
    "estimated_recipients": 78,
    "actual_recipients": 412,
    "audience_change_absolute": 334,
    "audience_change_percent": 428,
    "joined": 340,
    "left": 6,
    "left_by_reason": {"opted_out": 4, "recently_messaged": 2},
}

Render = Callable[..., str]


@pytest.fixture
def render() -> Render:
    """Render a line of template, with the component files importable, as the app would."""
    environment = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True)
    environment.filters.update(wording.FILTERS)
    environment.globals.update(now=lambda: NOW, csrf_token=lambda: "token-1")
    return lambda source, **context: environment.from_string(source).render(**context)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


@pytest.mark.parametrize("sums", VENDORED, ids=lambda path: path.parent.name)
def test_vendored_files_are_what_was_published(sums: Path) -> None:
    for line in sums.read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((sums.parent / name).read_bytes()).hexdigest() == digest


def test_a_heading_without_a_badge_is_its_title_alone(render: Render) -> None:
    html = render(
        "{% from 'components/page.html' import page_header %}{{ page_header('Ada', badge=none) }}"
    )
    assert "<h1>Ada</h1>" in html


def test_a_field_keeps_what_was_typed_and_ties_its_error_to_it(render: Render) -> None:
    html = render(
        "{% from 'components/forms.html' import field %}"
        "{{ field('email', 'E-mail', value, hint='Work address', error='Add the part after @.') }}",
        value='"><script>mia@',
    )
    assert 'aria-describedby="email-hint email-error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="email-error"' in html
    assert "Add the part after @." in html
    assert "&#34;&gt;&lt;script&gt;mia@" in html


def test_a_disabled_checkbox_says_why(render: Render) -> None:
    html = render(
        "{% from 'components/forms.html' import checkbox %}"
        "{{ checkbox('reprocess', 'Re-process', disabled='Choose a send time first.') }}"
    )
    assert re.search(r'<input[^>]* disabled[^>]*aria-describedby="reprocess-hint"', html)
    assert "Choose a send time first." in html


def test_a_text_that_begins_with_a_newline_keeps_it(render: Render) -> None:
    html = render(
        "{% from 'components/forms.html' import text_area %}{{ text_area('m', 'Message', text) }}",
        text="\nHello",
    )
    assert ">\n\nHello</textarea>" in html


def test_before_and_after_accounts_for_everybody(render: Render) -> None:
    html = render(
        "{% from 'components/audience.html' import before_after %}"
        "{{ before_after(meta, results, sources, {'left': '/gone'}) }}",
        sources={"qr_scan": 328, "registration": 12},
        meta=META,
        results={
            "sent": 398,
            "delivered": 0,
            "failed": 2,
            "held_back": 12,
            "held_back_by_reason": {"recently_messaged": 12},
            "in_doubt": 0,
            "pending": 0,
            "cost": "3.98",
            "currency": "USD",
        },
    )
    text = words(html)
    assert "Original estimate 78 people Final audience 412 people (+334, +428 %)" in text
    assert "joined 340 (328 QR scans, 12 registrations)" in text
    assert "left 6 (4 opted out, 2 had a message in the last 72 hours)" in text
    assert "sent 398 held back 12 failed 2 cost $3.98" in text
    assert '<a href="/gone">6</a>' in html


def test_an_estimate_of_nobody_shows_people_and_no_percent(render: Render) -> None:
    meta = {
        **META,
        "estimated_recipients": 0,
        "audience_change_absolute": 412,
        "audience_change_percent": None,
    }
    text = words(
        render(
            "{% from 'components/audience.html' import before_after %}{{ before_after(meta) }}",
            meta=meta,
        )
    )
    assert "412 people (+412)" in text
    assert "%" not in text


def test_the_funnel_names_each_reason_that_left_somebody_out(render: Render) -> None:
    bar = charts.stack_bar({k: v for k, v in FUNNEL.items() if k != "matched"})
    html = render(
        "{% from 'components/audience.html' import funnel %}"
        "{{ funnel(counts, bar, hours=24, urls={'opted_out': '/who'}) }}",
        counts=FUNNEL,
        bar=bar,
    )
    text = words(html)
    assert "80 had a message in the last 24 hours" in text
    assert "520 match in all" in text
    assert "invalid" not in text
    assert html.count('href="/who"') == 2  # the piece of the bar and the line of the legend
    assert html.count("<rect") == 6


def test_who_was_left_out_reads_aloud(render: Render) -> None:
    counts = {**FUNNEL, "no_address": 0, "blocked": 0, "opted_out": 1, "duplicate_address": 0}
    counts["matched"] = 493
    html = render(
        "{% from 'components/audience.html' import left_out %}{{ left_out(counts) }}",
        counts=counts,
    )
    assert words(html) == (
        "493 people matched. 81 were left out: 1 opted out, 80 had a message in the last 72 hours."
    )


def test_progress_polls_until_it_is_final(render: Render) -> None:
    line = "{% from 'components/status.html' import progress %}{{ progress(30, 120, 'Sent', %s) }}"
    moving = render(line.replace("%s", "poll_url='/campaigns/1/progress'"))
    final = render(line.replace("%s", "poll_url=None"))
    assert 'hx-get="/campaigns/1/progress"' in moving
    assert "hx-" not in final
    assert "30 of 120" in words(final)
    assert 'data-announce="Sent: 25 %"' in final


def test_messages_are_printed_and_never_evaluated(render: Render) -> None:
    html = render(
        "{% from 'components/message.html' import phone_screen %}"
        "{{ phone_screen([{'text': text}], 'Art Battle') }}",
        text="{{ 7 * 7 }} <b>50%</b> %%NAME%%",
    )
    assert "{{ 7 * 7 }} &lt;b&gt;50%&lt;/b&gt; %%NAME%%" in html


def test_a_moment_is_relative_and_exact_with_its_zone(render: Render) -> None:
    html = render(
        "{% from 'components/page.html' import moment with context %}"
        "{{ moment(at, 'America/Toronto') }}",
        at=NOW + timedelta(days=2),
    )
    assert words(html) == "in 2 days , Sun 29 Nov 2026, 10:00 America/Toronto"


def test_a_confirmed_action_posts_with_its_token(render: Render) -> None:
    html = render(
        "{% from 'components/page.html' import confirm_box %}"
        "{% call confirm_box('Cancel', '/c/1/cancel', 'Cancel for good') %}Nobody gets it."
        "{% endcall %}"
    )
    assert '<form method="post" action="/c/1/cancel"' in html
    assert 'name="csrf_token" value="token-1"' in html
    assert "Nobody gets it." in html


@pytest.mark.parametrize("code", [400, 403, 404, 409, 410, 413, 429, 500])
def test_errors_speak_in_fragments_as_in_pages(render: Render, code: int) -> None:
    source = f"{{% extends 'errors/{code}.html' %}}"
    html = render(source, fragment=True, message=None, fields=None, blockers=None)
    assert "<html" not in html
    assert html.count("<h2>") == 1
    page = render(
        source,
        fragment=False,
        url_for=lambda endpoint, filename: f"/{endpoint}/{filename}",
        get_flashed_messages=lambda with_categories: [],
        current_user=None,
        organisation=None,
        home_url="/",
    )
    heading = re.search(r"<h2>(.*?)</h2>", html)
    assert heading is not None
    assert f"<h1>{heading[1]}</h1>" in page
    assert f"<title>{heading[1]} · Rollcall</title>" in page


def test_an_error_names_the_field_and_how_to_mend_it(render: Render) -> None:
    html = render(
        "{% extends 'errors/400.html' %}",
        fragment=True,
        fields={"send_time": "10:00 is in the past; choose a later time."},
    )
    assert "Send time: 10:00 is in the past; choose a later time." in words(html)


def test_a_chart_prints_its_title_description_and_marks(render: Render) -> None:
    points = [(NOW, 78), (NOW + timedelta(days=2), 490)]
    marks = [charts.Moment(NOW, "Planned", 78), charts.Moment(points[1][0], "Sent", 490)]
    html = render(
        "{% from 'components/charts.html' import audience_chart %}"
        "{{ audience_chart(charts, 'The audience', 'From 78 to 490 people.') }}",
        charts=charts.draw_audience_pair(points, marks),
    )
    assert html.count("<title id=") == html.count("<desc id=") == 2
    assert html.count('<path class="line"') == 2
    assert "Planned" in html
    assert "490 people" in html

"""The page in a real browser, at the width of a desktop and of a phone."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.report.artifacts import read_run
from brainalign.report.page import compose_page
from unit.report.example_run import build_run

WIDTHS = {"desktop": 1280, "phone": 400}

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# Chromium has a least window width on some systems, so the page is laid out in a frame whose
# width is exact; the frame writes its measurements where --dump-dom finds them.
_FRAME = """<!DOCTYPE html><html><head><style>
html, body {{ margin: 0 }} iframe {{ border: 0; width: {width}px; height: 900px }}
</style></head><body><iframe src="page.html"></iframe><pre id="measured"></pre><script>
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => {{
  const page = frame.contentDocument;
  const measure = (element) => {{
    const box = element.getBoundingClientRect();
    return {{ tag: element.tagName, text: element.textContent.trim().slice(0, 60),
      alt: element.alt || "", width: box.width, height: box.height,
      right: box.right, loaded: element.naturalWidth ?? 1 }};
  }};
  const shown = [...page.querySelectorAll("h1, h2, h3, table, figure, figcaption, img, .frame")]
    .filter((element) => !element.closest("details:not([open])"));
  document.querySelector("#measured").textContent = JSON.stringify({{
    width: frame.contentWindow.innerWidth,
    scrollWidth: page.documentElement.scrollWidth,
    fontSize: parseFloat(getComputedStyle(page.body).fontSize),
    elements: shown.map(measure),
  }});
}});
</script></body></html>"""


@pytest.fixture(scope="module")
def browser() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no chromium on this machine; install it to look at the page (apt: chromium)")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    html = compose_page(read_run(build_run(folder / "results"), folder / "results")).html
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


def _browse(browser: str, page: Path, profile: Path, *flags: str) -> str:
    finished = subprocess.run(
        [
            browser,
            *_FLAGS,
            "--allow-file-access-from-files",
            "--virtual-time-budget=10000",
            f"--user-data-dir={profile}",
            *flags,
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return finished.stdout


@pytest.fixture(scope="module", params=sorted(WIDTHS))
def layout(request: pytest.FixtureRequest, browser: str, page_file: Path, tmp_path_factory) -> dict:
    width = WIDTHS[request.param]
    frame = page_file.parent / f"{request.param}.html"
    frame.write_text(_FRAME.format(width=width), encoding="utf-8")
    document = _browse(browser, frame, tmp_path_factory.mktemp("profile"), "--dump-dom")
    found = re.search(r'<pre id="measured">(.*?)</pre>', document, re.DOTALL)
    assert found is not None
    measured = json.loads(unescape(found[1]))
    assert measured["width"] == width
    return measured


def test_page_does_not_scroll_sideways(layout: dict) -> None:
    assert layout["scrollWidth"] <= layout["width"]


def test_what_the_page_shows_has_a_size(layout: dict) -> None:
    unseen = [one for one in layout["elements"] if one["width"] < 20 or one["height"] < 8]
    assert unseen == []


def test_every_section_has_its_heading(layout: dict) -> None:
    headings = [one["text"] for one in layout["elements"] if one["tag"] == "H2"]
    assert headings == [
        "Summary",
        "Methods and data sets",
        "VNA and direct baselines: Scores",
        "VNA: Retrieval",
        "VNA and direct baselines: Similarity matrices",
        "Training",
        "How to read recordings",
        "world",
        "Backbones",
        "Provenance and run time",
    ]


def test_figures_are_decoded_and_fit_the_width(layout: dict) -> None:
    images = [one for one in layout["elements"] if one["tag"] == "IMG"]
    assert len(images) > 20
    assert all(image["loaded"] > 0 for image in images)
    assert all(image["right"] <= layout["width"] + 0.5 for image in images)
    shown = " ".join(image["alt"] for image in images)
    for kind in ("top-1 on", "Stimuli retrieved", "Similarity matrix", "Training curves"):
        assert kind in shown
    assert "Histograms of noise ceiling" in shown


def test_tables_stay_inside_their_own_frames(layout: dict) -> None:
    frames = [one for one in layout["elements"] if one["tag"] == "DIV"]
    tables = [one for one in layout["elements"] if one["tag"] == "TABLE"]
    assert len(frames) == len(tables) >= 5
    assert all(frame["right"] <= layout["width"] for frame in frames)


def test_text_is_large_enough_to_read(layout: dict) -> None:
    assert layout["fontSize"] >= 16
    figures = [
        one
        for one in layout["elements"]
        if one["tag"] == "IMG" and not one["alt"].startswith("A thing")
    ]
    # 9 pt at the natural width of 346 or 403 pixels: never below 10 pixels.
    assert min(figure["width"] for figure in figures) >= 0.83 * 346


def test_the_browser_paints_figures_and_text(browser: str, page_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.png"
    flags = (f"--screenshot={target}", "--window-size=1280,4000")
    _browse(browser, page_file, tmp_path / "profile", *flags)
    pixels = np.asarray(Image.open(io.BytesIO(target.read_bytes())).convert("RGB"))
    assert pixels.shape[1] == 1280
    bands = pixels[:4000].reshape(8, 500, 1280, 3)
    assert all(band.std() > 3 for band in bands)
    # The methods' colours are in the picture: the figure of scores was painted.
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        assert (np.abs(pixels.astype(int) - colour).sum(axis=2) < 12).sum() > 100


def test_the_page_prints_on_paper(browser: str, page_file: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.pdf"
    flags = (f"--print-to-pdf={target}", "--no-pdf-header-footer")
    _browse(browser, page_file, tmp_path / "profile", *flags)
    content = target.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 3


def test_sorting_by_a_column_reorders_the_rows(
    browser: str, page_file: Path, tmp_path: Path
) -> None:
    clicked = tmp_path / "clicked.html"
    script = (
        "<script>document.querySelectorAll('#scores table')[0]"
        ".querySelectorAll('thead button')[1].click()</script></body>"
    )
    clicked.write_text(page_file.read_text(encoding="utf-8").replace("</body>", script))
    document = _browse(browser, clicked, tmp_path / "profile", "--dump-dom")
    table = document[document.index('id="scores"') :]
    rows = re.findall(r"<tr.*?</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
    values = [float(re.findall(r'data-sort="([^"]*)"', row)[0]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert 'aria-sort="descending"' in table

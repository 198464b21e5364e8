"""How a printed report looks: A4, one family of letters, and the status in words as well as in colour."""

from pathlib import Path

from dicom_nodes.documents.page import BODY_POINTS

FONTS = Path(__file__).with_name("fonts")
REGULAR, BOLD = FONTS / "DejaVuSansCondensed.ttf", FONTS / "DejaVuSansCondensed-Bold.ttf"

TOP_MM = 10
"""Above the head."""
_BELOW_HEAD_MM = 4
PAGES = f"""
@page {{
  size: A4; margin: 49mm 18mm 24mm 18mm;
  @top-center {{ content: element(later); width: 100%; vertical-align: top; padding-top: {TOP_MM}mm; }}
  @bottom-center {{ content: element(foot); width: 100%; vertical-align: top; padding-top: 3mm; }}
}}
@page :first {{ @top-center {{ content: element(first); }} }}
.first {{ position: running(first); }}
.later {{ position: running(later); }}
.foot {{ position: running(foot); }}
"""
HEADS_ALONE = "@page { size: A4; margin: 0 18mm; } .next { break-before: page; }"
STYLE = f"""
@font-face {{ font-family: Report; src: url({REGULAR.as_uri()}); }}
@font-face {{ font-family: Report; font-weight: bold; src: url({BOLD.as_uri()}); }}
body {{ margin: 0; }}
html {{ font: 8.6pt/1.35 Report; color: #111; }}
table {{ width: 100%; border-collapse: collapse; }}
td, th {{ text-align: left; vertical-align: top; padding: 0; font-weight: normal; }}
span {{ display: block; font-size: 7.4pt; color: #444; font-weight: normal; letter-spacing: 0; }}
.trust {{ font-size: 12pt; font-weight: bold; line-height: 1.2; padding-right: 6mm; }}
.trust span {{ font-size: 8.6pt; margin-top: .6mm; }}
.status {{ width: 58mm; border: 1.2pt solid #111; padding: 1.6mm 3mm; font-size: 13pt; font-weight: bold;
  line-height: 1.15; letter-spacing: .6pt; text-align: center; vertical-align: middle; }}
.status span {{ color: inherit; }}
.preliminary {{ background: #fff0c2; border-color: #8a5a00; color: #5c3b00; }}
.final {{ background: #e6f2e8; border-color: #1d6b34; color: #124a23; }}
.corrected, .addendum {{ background: #fde7e2; border-color: #a02c12; color: #7a1d08; }}
.patient {{ margin-top: 3.5mm; padding: 2mm 3mm 2.2mm; background: #eef2f6; border-left: 2.4pt solid #1f3a5f; }}
.name {{ font-size: 12.4pt; font-weight: bold; line-height: 1.2; margin-bottom: 1.2mm; overflow-wrap: anywhere; }}
.patient table {{ table-layout: fixed; }}
.patient td {{ font-size: 9.4pt; overflow-wrap: anywhere; padding-right: 2mm; }}
.exam {{ margin-top: 3.5mm; }}
.exam th {{ width: 27mm; color: #444; padding: .35mm 0; }}
.exam td {{ padding: .35mm 0; overflow-wrap: anywhere; }}
.foot td {{ border-top: .6pt solid #888; padding-top: 1.6mm; font-size: 7.8pt; color: #333; }}
.foot .number {{ text-align: right; width: 26mm; }}
.number::after {{ content: "Page " counter(page) " of " counter(pages); }}
.body {{ font-size: {BODY_POINTS}pt; line-height: 1.45; border-top: .6pt solid #888; padding-top: 4mm; }}
.line {{ white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 8; min-height: 1.45em; orphans: 2; widows: 2; }}
.heading {{ font-weight: bold; break-after: avoid; }}
.rtl {{ direction: rtl; text-align: right; }}
"""


def room_for(first_px: float, later_px: float) -> str:
    """The page rules that leave room for heads of these heights (CSS pixels, 96 an inch)."""
    first, later = (TOP_MM + height * 25.4 / 96 + _BELOW_HEAD_MM for height in (first_px, later_px))
    return f"@page {{ margin-top: {later:.2f}mm }} @page :first {{ margin-top: {first:.2f}mm }}"

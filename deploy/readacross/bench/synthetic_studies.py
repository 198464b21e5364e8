"""Studies of people who do not exist, as rows a catalogue could hold: the n-th is always the same.

The mix of examinations is that of STANDARDS.md: X-ray 47, ultrasound 22, CT 16, MR 10, other 5 of a hundred; on average
three series and fifty instances a study; 8 years back, few at weekends; a patient comes two or three times. Studies are
numbered as they were made, but one in twenty came late (a priors' import).
"""

from dataclasses import dataclass
from datetime import date, timedelta

NEWEST_DAY = date(2026, 11, 20)
_YEARS_BACK_DAYS = 8 * 365 + 2
_STUDIES_PER_PATIENT = 2.5
_OUT_OF_ORDER = 0.05
_FAMILY_FIRST = (
    "Ash", "Bar", "Bow", "Brad", "Carl", "Clay", "Dal", "Den", "Fair", "Ful", "Gar", "Hal", "Har", "Hart", "Hes",
    "Hol", "Kirk", "Lang", "Led", "Lin", "Mar", "Mel", "Nor", "Old", "Pen", "Quin", "Rad", "Red", "Rib", "Ros",
    "Shel", "Stan", "Sut", "Thorn", "Til", "Wad", "Wal", "Whit", "Win", "Wood",
)  # fmt: skip
_FAMILY_LAST = (
    "ley", "ton", "worth", "den", "shaw", "field", "bury", "by", "combe", "croft", "dale", "ford", "ham", "hurst",
    "land", "man", "more", "ridge", "sett", "stead", "stone", "thwaite", "wick", "wood", "łowska",
)  # fmt: skip
_GIVEN = (
    "Ada", "Agnes", "Alan", "Amir", "Anwen", "Bela", "Bridget", "Carys", "Clive", "Dafydd", "Edith", "Elsie", "Emrys",
    "Farah", "Fergus", "Gwen", "Hana", "Idris", "Ines", "Ivy", "Jan", "Joan", "José", "Kofi", "Leila", "Mabel",
    "Mei", "Morag", "Nia", "Noor", "Olwen", "Owen", "Percy", "Priya", "Rhys", "Rowan", "Seán", "Siân", "Tobias", "Una",
    "Vera", "Wilf", "Zofia",
)  # fmt: skip
_ISSUERS = ("RXN",) * 18 + ("RXL", "RXR")


@dataclass(frozen=True, slots=True)
class SyntheticStudy:
    """One study; dates and times as DICOM text, `series` as (modality, number of instances)."""

    number: int
    study_instance_uid: str
    patient_id: str
    issuer: str
    nhs_number: str | None
    patient_name: str
    birth_date: date
    sex: str
    accession_number: str
    study_date: str
    study_time: str
    description: str
    series: tuple[tuple[str, int], ...]

    @property
    def modalities(self) -> tuple[str, ...]:
        return tuple(sorted({modality for modality, _ in self.series}))

    @property
    def instance_count(self) -> int:
        return sum(count for _, count in self.series)

    def series_instance_uid(self, series: int) -> str:
        """The UID of the series of this index."""
        return f"{self.study_instance_uid}.{series + 1}"


def synthetic_study(number: int, of_total: int) -> SyntheticStudy:
    """The study of this number, from 0, of a catalogue of `of_total` studies."""
    patient = int(_draw(number, 1) * max(1, int(of_total / _STUDIES_PER_PATIENT)))
    since = number / of_total if _draw(number, 2) > _OUT_OF_ORDER else _draw(number, 8)
    day = NEWEST_DAY - timedelta(days=int((1 - since) * _YEARS_BACK_DAYS))
    if day.weekday() >= 5 and _draw(number, 3) < 0.75:
        day -= timedelta(days=day.weekday() - 4)
    seconds = int((8 + 12 * _draw(number, 4)) * 3600)
    modality, description, series_count, images = _examination(number)
    dated, timed = f"{day:%Y%m%d}", f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"
    series = tuple((modality, images) for _ in range(series_count))
    if modality in {"CT", "US"} and _draw(number, 7) < 0.2:
        series = (*series[:-1], ("SR", 1)) if series_count > 1 else (*series, ("SR", 1))
    name, sex = _name(patient)
    return SyntheticStudy(
        number=number,
        study_instance_uid=f"1.2.826.0.1.3680043.10.999.1.{dated}{timed}.{number}",
        patient_id=f"{40_000_000 + patient}",
        issuer=_ISSUERS[int(_draw(patient, 11) * len(_ISSUERS))],
        nhs_number=_nhs_number(patient),
        patient_name=name,
        birth_date=date(1930, 1, 1) + timedelta(days=int(_draw(patient, 14) * 33_000)),
        sex=sex,
        accession_number=f"RXN{day.year % 100:02}{number:08}",
        study_date=dated,
        study_time=timed,
        description=description,
        series=series,
    )


def _examination(number: int) -> tuple[str, str, int, int]:
    """(modality, description, number of series, images in each)."""
    kind, size = _draw(number, 5), _draw(number, 6)
    if kind < 0.47:
        return ("DX" if size < 0.7 else "CR"), "XR Chest" if size < 0.4 else "XR Wrist", 1 + (size > 0.3), 1
    if kind < 0.69:
        return "US", "US Abdomen", 1 + (size > 0.8), 15 + int(size * 20)
    if kind < 0.85:
        return "CT", "CT Chest abdomen pelvis" if size > 0.5 else "CT Head", 3 + int(size * 3), 20 + int(size * 50)
    if kind < 0.95:
        return "MR", "MR Spine lumbar" if size > 0.5 else "MR Head", 5 + int(size * 5), 15 + int(size * 25)
    return ("NM", "XA", "MG", "PT")[int(size * 4)], "Other", 2, 4


def _name(patient: int) -> tuple[str, str]:
    first, last = int(_draw(patient, 12) * len(_FAMILY_FIRST)), int(_draw(patient, 13) * len(_FAMILY_LAST))
    given = int(_draw(patient, 15) ** 1.5 * len(_GIVEN))
    return f"{_FAMILY_FIRST[first]}{_FAMILY_LAST[last]}^{_GIVEN[given]}", "FM"[int(_draw(patient, 16) * 2)]


def _nhs_number(patient: int) -> str | None:
    """In the test range 999…; None where modulus 11 gives no check digit, or the range (a million) is used up."""
    if patient >= 1_000_000:
        return None
    digits = f"999{patient:06}"
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
    return None if check == 10 else f"{digits}{0 if check == 11 else check}"


def _draw(number: int, salt: int) -> float:
    """A number in [0, 1) that looks random and is always the same (splitmix64's finisher)."""
    mixed = (number * 0x9E3779B97F4A7C15 + salt * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return float((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)

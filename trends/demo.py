"""The trends of ``manage.py demo``: imports of five years, each an update of the one before."""

import csv
import io
import random
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from config.cache.generations import invalidate

from .files.columns import HEADINGS
from .models import CACHE_SCOPE, ImportRun, Revision, Trend
from .services import import_runner, imports

YEARS = 5
LEVELS = ("", "Pilot", "Development", "Deploy")
PATIENCE = 120  # seconds for one import, which a worker may be doing

# Megatrend: macrotrend, STEEPL, impact, readiness at first and now, publications and patents now, the year of its first
# import, challenges, industries, use.
TRENDS = """
Artificial intelligence
Language models|T|High|Pilot|Deploy|61200|8740|0|Answers that sound right and are wrong; energy per query.|Software, Media, Public sector|Drafts replies in a call centre; a person sends them.
Language models|S|Medium||Development|4310|120|2|Who is liable for advice that a model gave?|Law, Insurance|Summaries of case files for small law firms.
Computer vision in factories|T|High|Development|Deploy|22450|6105|0|Rare defects have too few pictures to learn from.|Automotive, Electronics|Finds hairline cracks in castings at line speed.
Foundation models for biology|T|High||Pilot|3890|415|2|Laboratories verify a thousandth of what is predicted.|Pharma, Agriculture|Proposes enzymes that break down polyester.
Edge inference|T|Medium|Pilot|Development|9120|3380|0|Battery life; updating a million devices safely.|Electronics, Retail|Hearing aids that separate voices from noise.
Rules for automated decisions|L|Medium|Pilot|Development|2760|14|1|National rules differ in what counts as a decision.|Public sector, Finance|A public register of algorithms of one city.
Energy transition
Smart grids|T|High|Development|Deploy|18300|5210|0|Old substations have no sensors.|Utilities, Electronics|Shifts the charging of 4,000 cars to windy hours.
Smart grids|E|High|Pilot|Development|5240|610|1|Tariffs that change every hour are hard to explain.|Utilities, Housing|Flexible tariffs for a housing association.
Heat pumps|E|High|Development|Deploy|7460|2890|0|Installers are scarce; old radiators are too small.|Construction, Utilities|Heats 900 flats from waste water.
Green hydrogen|T|High|Pilot|Pilot|15870|4120|0|Cost of electrolysers; leaks of a very small molecule.|Chemicals, Steel, Shipping|Direct reduction of iron ore without coal.
Long-duration storage|T|Medium|Pilot|Development|6030|1975|0|Few sites pay for a hundred hours of storage.|Utilities|Iron-air batteries beside a closed coal plant.
Community energy|S|Medium|Pilot|Deploy|1980|22|1|Volunteers run a business with heavy rules.|Utilities, Housing|Tenants own the panels on their roof.
Agrivoltaics|E|Low||Pilot|1240|185|2|Combine harvesters need six metres of clearance.|Agriculture, Utilities|Raspberries under half-transparent panels.
Ageing societies
Remote care|S|High|Development|Deploy|11900|1540|0|Older patients give up at the login.|Health care, Telecoms|Daily values of heart patients reach the clinic.
Assistive robots|T|Medium|Pilot|Pilot|8350|2670|0|A robot that lifts people must never drop one.|Health care, Robotics|Carries meals and linen at night.
Housing for all ages|S|Medium||Development|1420|35|1|Conversions cost more than new buildings.|Construction, Housing|Ground-floor flats with a shared kitchen.
Longevity research|T|High|Pilot|Pilot|9980|1120|0|Trials take as long as a life.|Pharma|Blood tests that estimate biological age.
Financing long-term care|P|High|Pilot|Pilot|2210||1|Contributions rise faster than wages.|Insurance, Public sector|A care account that families fill and draw on.
Circular economy
Material passports|L|Medium|Pilot|Development|2870|240|0|Nobody knows what was built in before 1990.|Construction, Public sector|Every beam of a town hall has an entry.
Repair services|E|Medium|Pilot|Deploy|1730|95|0|Spare parts cost more than a new appliance.|Retail, Electronics|Lockers that take in phones for repair.
Battery recycling|T|High|Pilot|Development|8840|3260|0|Packs are glued and each maker's differ.|Automotive, Chemicals|Recovers lithium without smelting.
Reusable packaging|E|Low|Pilot|Development|990|160|1|Returns only pay above nine trips.|Retail, Logistics|One crate for five supermarket chains.
Textile to textile|T|Medium||Pilot|1610|430|2|Mixed fibres cannot be separated cheaply.|Fashion, Chemicals|Cotton pulp from worn hospital sheets.
Future of work
Hybrid work|S|High|Development|Deploy|14200|310|0|Newcomers learn less from colleagues they never meet.|All industries|Team days that are planned by an assistant.
Four-day week|S|Medium||Pilot|860||2|Shift work in hospitals does not fit.|Services, Public sector|A trial in forty offices of one region.
Micro-credentials|P|Low|Pilot|Development|1340|12|1|Employers do not know what a badge is worth.|Education|Short courses that count towards a degree.
Exoskeletons|T|Medium|Pilot|Development|4720|1890|0|Workers wear them for an hour, not for a shift.|Logistics, Construction|Relieves backs at the parcel belt.
Mobility
Battery trucks|E|High|Pilot|Deploy|5410|2950|0|Depots lack megawatt connections.|Logistics, Automotive|Night deliveries without noise in a city centre.
Automated shuttles|T|Medium|Pilot|Pilot|6890|3010|0|Snow, and drivers who wave others through.|Public transport|Connects a hospital with the railway station.
Cargo bikes|S|Low|Development|Deploy|780|140|0|Storage space in dense quarters.|Logistics, Retail|A fifth of one depot's parcels.
Urban air mobility|T|Low|Pilot|Pilot|2930|1460|1|Noise certificates and landing sites.|Aviation|Blood samples between two clinics.
Road pricing|P|Medium||Pilot|1150|48|2|Commuters from villages have no other choice.|Public sector|Prices by hour instead of a yearly tax.
Food and water
Precision fermentation|T|High|Pilot|Development|4060|1710|0|Steel tanks are the bottleneck.|Food, Chemicals|Milk protein without cows.
Vertical farming|T|Low|Development|Pilot|3570|890|0|Electricity is half of the cost.|Agriculture, Retail|Herbs that grow beside the shelf.
Drought-tolerant crops|E|High|Pilot|Development|12750|2140|0|Approval of edited plants differs by country.|Agriculture|Sorghum on fields where maize failed twice.
Water reuse|E|High|Development|Deploy|9240|1830|0|People dislike the thought of it.|Utilities, Agriculture|Irrigates parks with treated waste water.
Trust and security
Post-quantum cryptography|T|High|Pilot|Deploy|7150|960|0|Certificates in devices that live for thirty years.|Finance, Telecoms|New keys for a bank's branch network.
Digital identity|P|High|Pilot|Development|5480|720|0|One wallet for everything is one point of failure.|Public sector, Finance|Rent a car with a licence on the phone.
Provenance of media|L|Medium||Development|1890|330|2|Marks are lost in the first screenshot.|Media, Software|Press photos that carry their history.
Supply chain transparency|L|Medium|Pilot|Development|3320|270|1|Small suppliers answer the same questions forty times.|Manufacturing, Fashion|One questionnaire for a whole sector.
"""


def rows(year: int) -> list[list[str]]:
    """Return the rows of the file of ``year``, which counts from 0."""
    found = []
    for megatrend, fields in _trends():
        macrotrend, steepl, impact, level, last_level, publications, patents, first, gaps, industries, use = fields
        if int(first) > year:
            continue
        chance = random.Random(f"{macrotrend} {steepl}")
        start, end = LEVELS.index(level), LEVELS.index(last_level)
        readiness = LEVELS[start + round((end - start) * year / (YEARS - 1))]
        is_still = chance.random() < 0.25  # in the last year
        counts = [_count(chance, now, is_still)[year] for now in (publications, patents)]
        found.append([megatrend, macrotrend, gaps, *counts, readiness, impact, steepl, industries, use])
    return found


def _trends() -> Iterator[tuple[str, list[str]]]:
    megatrend = ""
    for line in TRENDS.strip().splitlines():
        if "|" in line:
            yield megatrend, line.split("|")
        else:
            megatrend = line


def _count(chance: random.Random, now: str, is_still: bool) -> list[str]:
    """Return the counts of all years, the last one ``now``: each grows at its own rate, not evenly, and some shrink."""
    growth = chance.uniform(0.02, 0.45)
    counts = [float(now or 0)]
    for _ in range(YEARS - 1):
        counts.insert(0, counts[0] / (1 + growth * chance.uniform(-0.4, 1.8)))
    if is_still:
        counts[-2] = counts[-1]
    return [str(round(count)) if now else "" for count in counts]


def fill(people: Sequence[User]) -> str:
    """Import a file for each year as the first person, who is staff; returns what was created."""
    now = timezone.now()
    for year in range(YEARS):
        when = now - timedelta(days=365 * (YEARS - 1 - year))
        run = _import(f"trends-{when.year}.csv", rows(year), by=people[0])
        if year < YEARS - 1:
            _date_back(run, when)
    return f"{Trend.objects.count()} trends with a history of {YEARS} years"


def _import(name: str, lines: list[list[str]], *, by: User) -> ImportRun:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([list(HEADINGS.values()), *lines])
    file = ContentFile(text.getvalue().encode(), name=name)
    origin, mode = ImportRun.Origin.UPLOAD, ImportRun.Mode.UPDATE
    run = imports.start_import(file=file, key=imports.new_file_key(), origin=origin, by=by, mode=mode)
    deadline = time.monotonic() + PATIENCE
    while run.finished_at is None:
        if not import_runner.import_waiting():
            time.sleep(0.1)  # a worker is importing it
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} was not imported within {PATIENCE} seconds.")
        run.refresh_from_db()
    return run


@transaction.atomic
def _date_back(run: ImportRun, when: datetime) -> None:
    """Make ``run``, which is finished, look as if it had happened at ``when``."""
    Trend.objects.filter(run=run).update(uploaded_at=when)
    Revision.objects.filter(run=run).update(at=when, ends_at=when + (F("ends_at") - F("at")))
    ImportRun.objects.filter(pk=run.pk).update(created_at=when, done_at=when + timedelta(seconds=1))
    invalidate(CACHE_SCOPE)

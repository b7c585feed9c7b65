"""The articles that the desk works on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Article:
    """One article of the archive."""

    slug: str
    title: str
    body: str


TODAY = (
    Article(
        "harbour-crane",
        "The old harbour crane turns again",
        "After eleven years of rust the steam crane at the north quay lifted its first crate on Saturday. Volunteers "
        "had rebuilt the gear from drawings of 1911. The port authority pays for the coal; rides are free in May.",
    ),
    Article(
        "night-trains",
        "Night trains return to the lake line",
        "From June two sleepers a week will run to the lakes. Tickets cost as much as the day train plus a berth. The "
        "operator expects 40,000 travellers a year and has leased nine cars that stood unused since 2015.",
    ),
    Article(
        "school-kitchens",
        "School kitchens cook with the neighbours",
        "Six schools now buy vegetables from farms within twenty kilometres. The cooks plan menus by what is ripe, the "
        "pupils vote on soups, and waste fell by a third. The council wants all thirty schools to follow.",
    ),
    Article(
        "library-nights",
        "The library stays open until midnight",
        "A trial keeps the central library open late on weekdays. Students fill the reading room, shift workers the "
        "ground floor. Two more porters were hired; the cost is covered by shorter hours in August.",
    ),
)

ARCHIVE = (
    Article("crane-1998", "Harbour crane to be scrapped", "The port has no use for the crane and seeks a buyer."),
    Article("crane-2012", "Friends of the crane found a club", "Forty people signed the charter in the harbour inn."),
    Article("sleeper-2015", "Last sleeper leaves", "The night train to the lakes ran for the last time on Sunday."),
    Article("rail-2021", "A study of night trains", "Engineers say the lake line could carry sleepers again."),
    Article("kitchen-2019", "School lunches get a cook", "Fresh food costs more, the mayor says, and is worth it."),
    Article("library-2020", "Libraries count fewer visitors", "The reading room was empty on most evenings."),
)

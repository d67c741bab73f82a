"""What the features describe."""

from featurestore import Entity

carrier = Entity("carrier", ("carrier",), "an airline")
route = Entity("route", ("origin", "dest"), "an ordered pair of airports")
aircraft = Entity("aircraft", ("tailnum",), "a plane, by its tail number")
airport = Entity("airport", ("origin",), "an airport of departure")

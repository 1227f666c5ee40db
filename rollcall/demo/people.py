"""Some 800 invented people, the same ones each time."""

import random
from collections.abc import Iterator
from typing import TypedDict

FIRST_NAMES = """
Aaliyah Amara Amelia Anika Arjun Ava Ben Camille Carlos Chloe Daniel Devon Elena Eli Emma
Ethan Fatima Felix Gabriel Grace Hana Hugo Imani Isla Ivan Jada James Jasmine Javier Jun Kai
Karim Kofi Lena Leo Liam Lina Lucas Maeve Malik Maya Mei Mila Nadia Noah Nora Olivia Omar
Owen Priya Quinn Ravi Rosa Ruth Samir Sarah Sofia Tariq Theo Uma Victor Wei Yara Zoe
""".split()
LAST_NAMES = """
Ahmed Allen Baker Bennett Bhatt Boucher Brown Campbell Chan Chen Clarke Cohen Diaz Dubois
Evans Fernandes Fraser Gagnon Garcia Green Gupta Hall Hassan Ibrahim Jackson Jones Kaur Khan
Kim Kowalski Lam Lavoie Lee Levy Li Lopez MacDonald Martin Mehta Miller Moreau Morgan Nguyen
Novak Okafor Osei Park Patel Pereira Peters Roy Santos Sato Scott Sharma Silva Singh Smith
Tremblay Turner Walker Wang White Williams Wilson Wong Wright Yang Young Zhang
""".split()
CITIES = ("Toronto", "Toronto", "Toronto", "Mississauga", "Hamilton", "Ottawa", "Montréal")
# 555-0100 to 555-0199 are kept for fiction in every North American area code.
AREA_CODES = ("416", "647", "437", "905", "289", "613", "514", "438", "343")


class InventedPerson(TypedDict):
    """What is made up of a person; the keys are those of `person_values`."""

    first_name: str
    last_name: str
    phone: str | None
    email: str
    city: str


def fictional_phones() -> Iterator[str]:
    """Yield phones in E.164 that nobody will ever have."""
    for area_code in AREA_CODES:
        for number in range(100, 200):
            yield f"+1{area_code}5550{number}"


def invent_people(number: int) -> list[InventedPerson]:
    """Return so many people; a few share a phone, a few lack one, each has an e-mail address."""
    chance = random.Random(20261127)
    phones = fictional_phones()
    people: list[InventedPerson] = []
    for index in range(number):
        first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        phone: str | None = next(phones)
        if index > 600 and index % 45 == 0:
            phone = people[index - 1]["phone"]  # a couple with one phone
        elif index > 600 and index % 60 == 7:
            phone = None
        people.append(
            {
                "first_name": first,
                "last_name": last,
                "phone": phone,
                "email": f"{first}.{last}.{index}@example.org".lower(),
                "city": chance.choice(CITIES),
            }
        )
    return people

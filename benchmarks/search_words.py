"""How people ask, by kind of question and language: the words of `search_questions.py`, and nothing else."""

from datetime import date
from typing import NamedTuple

WAYS: dict[str, dict[str, tuple[str, ...]]] = {
    "name": {"es": ("{name}", "quien es {name}"), "pt": ("{name}", "quem é {name}"), "en": ("{name}", "who is {name}")},
    "misspelt name": {
        "es": ("{name}", "busco {name}"),
        "pt": ("{name}", "procuro {name}"),
        "en": ("{name}", "about {name}"),
    },
    "half a name": {
        "es": ("{name}", "algo de {name}"),
        "pt": ("{name}", "sobre {name}"),
        "en": ("{name}", "find {name}"),
    },
    "artist in a city": {
        "es": ("¿Cuándo toca {name} en {city}?", "{name} en vivo en {city}", "entradas para {name} en {city}"),
        "pt": ("Quando {name} toca em {city}?", "show de {name} em {city}", "ingressos para {name} em {city}"),
        "en": ("When does {name} play in {city}?", "{name} live in {city}", "tickets for {name} in {city}"),
    },
    "genre in a city": {
        "es": (
            "dónde bailar {genre} en {city}",
            "conciertos de {genre} en {city}",
            "quiero escuchar {genre}, estoy en {city}",
        ),
        "pt": ("onde dançar {genre} em {city}", "shows de {genre} em {city}", "quero ouvir {genre} aqui em {city}"),
        "en": (
            "where to dance {genre} in {city}",
            "live {genre} shows in {city}",
            "I want to hear some {genre} in {city}",
        ),
    },
    "night": {
        "es": ("qué hay de {genre} esta noche en {city}", "", "fiesta de {genre} en {city}", ""),
        "pt": ("o que tem de {genre} hoje à noite em {city}", "", "festa de {genre} em {city}", ""),
        "en": ("any {genre} tonight in {city}", "", "{genre} party in {city}", ""),
    },
    "day in words": {
        "es": ("eventos en {city} el {day}", "qué hacer el {day} en {city}"),
        "pt": ("eventos em {city} no dia {day}", "o que fazer em {day} em {city}"),
        "en": ("events in {city} on {day}", "what to do on {day} in {city}"),
    },
    "venues of a city": {
        "es": ("{what} en {city}", "busco {what} en {city}"),
        "pt": ("{what} em {city}", "procuro {what} em {city}"),
        "en": ("{what} in {city}", "looking for {what} in {city}"),
    },
    "at a venue": {
        "es": ("qué hay en {name}", "próximos eventos en {name}, {city}", "agenda de {name}"),
        "pt": ("o que tem no {name}", "próximos eventos no {name}, {city}", "agenda do {name}"),
        "en": ("what's on at {name}", "upcoming events at {name}, {city}", "{name} calendar"),
    },
    "event at a venue": {
        "es": ("{name} en {venue}", "entradas {name} {venue}"),
        "pt": ("{name} no {venue}", "ingressos {name} {venue}"),
        "en": ("{name} at {venue}", "tickets {name} {venue}"),
    },
    "articles": {
        "es": ("artículos sobre la escena de {genre} en {city}", "guía para salir a bailar {genre} en {city}"),
        "pt": ("artigos sobre a cena de {genre} em {city}", "guia para sair e ouvir {genre} em {city}"),
        "en": ("articles about the {genre} scene in {city}", "guide to {genre} nights in {city}"),
    },
    "organizer": {
        "es": ("eventos organizados por {name}", "qué presenta {name}"),
        "pt": ("eventos realizados por {name}", "o que {name} apresenta"),
        "en": ("events presented by {name}", "what is {name} promoting"),
    },
    "concept": {
        "es": ("qué es {name}", "qué significa {name}"),
        "pt": ("o que é {name}", "o que significa {name}"),
        "en": ("what is {name}", "what does {name} mean"),
    },
}
"""Several ways to ask each kind of question. A night's are in pairs: the second asks with the city as a filter, too."""

GENRES: dict[str, dict[str, str]] = (
    {
        name: dict.fromkeys(("es", "pt", "en"), name)
        for name in (
            "hip hop",
            "funk carioca",
            "samba",
            "techno",
            "house",
            "salsa",
            "rock",
            "metal",
            "vallenato",
            "indie",
        )
    }
    | {name: dict.fromkeys(("es", "pt", "en"), name) for name in ("jazz", "bolero", "cumbia", "reggaeton")}
    | {
        "folklore": {"es": "folklore", "pt": "folclore", "en": "folk music"},
        "electronica": {"es": "electrónica", "pt": "música eletrônica", "en": "electronic music"},
    }
)
"""How a genre is called, by its name without accents; `es` is as the data has it."""


class Family(NamedTuple):
    """Categories of venues that one word means."""

    categories: tuple[str, ...]
    said: dict[str, str]


FAMILIES = {
    "bar": Family(("bar", "pub", "beer_bar", "hotel_bar", "gastropub"), {"es": "bares", "pt": "bares", "en": "bars"}),
    "hotel": Family(("hotel",), {"es": "hoteles", "pt": "hotéis", "en": "hotels"}),
    "pharmacy": Family(("pharmacy",), {"es": "farmacias", "pt": "farmácias", "en": "pharmacies"}),
    "church": Family(
        ("church", "church_cathedral", "pentecostal_church"), {"es": "iglesias", "pt": "igrejas", "en": "churches"}
    ),
    "cafe": Family(("cafe", "café", "coffee_shop"), {"es": "cafeterías", "pt": "cafés", "en": "coffee shops"}),
    "restaurant": Family(
        (
            "restaurant",
            "brazilian_restaurant",
            "seafood_restaurant",
            "mexican_restaurant",
            "buffet_restaurant",
            "fast_food_restaurant",
            "burger_restaurant",
        ),
        {"es": "restaurantes", "pt": "restaurantes", "en": "restaurants"},
    ),
    "hospital": Family(("hospital",), {"es": "hospitales", "pt": "hospitais", "en": "hospitals"}),
    "supermarket": Family(
        ("supermarket", "grocery_store"), {"es": "supermercados", "pt": "supermercados", "en": "supermarkets"}
    ),
}
FAMILY_OF = {category: name for name, family in FAMILIES.items() for category in family.categories}

CONCEPTS = {
    "Guest list": {"es": "la lista de invitados", "pt": "a lista de convidados", "en": "the guest list"},
    "Pre-sale": {"es": "la preventa", "pt": "a pré-venda", "en": "pre-sale"},
    "Ticketing": {"es": "la venta de entradas", "pt": "a venda de ingressos", "en": "ticketing"},
    "Semantic search": {"es": "la búsqueda semántica", "pt": "a busca semântica", "en": "semantic search"},
    "Attribution": {"es": "la atribución", "pt": "a atribuição", "en": "attribution"},
    "Entity resolution": {
        "es": "la resolución de entidades",
        "pt": "a resolução de entidades",
        "en": "entity resolution",
    },
    "Sponsorship": {"es": "el patrocinio", "pt": "o patrocínio", "en": "sponsorship"},
    "Conversion": {"es": "la conversión", "pt": "a conversão", "en": "conversion"},
}
"""Concepts are named in English; who asks for them may not."""

MONTHS = {
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    "pt": [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}  # fmt: skip


def day(when: date, language: str) -> str:
    """Return a day as it is said, without its year."""
    month = MONTHS[language][when.month - 1]
    return f"{month} {when.day}" if language == "en" else f"{when.day} de {month}"


def genre(name: str, language: str) -> str:
    """Return how a genre is called; one that is not known, by its own name."""
    return next((said[language] for said in GENRES.values() if said["es"] == name.lower()), name)

"""Descriptions, biographies and articles in Spanish, Portuguese and English, from templates.

Here: sentences. Not here: who or what they are about.
"""

import random

from .cast import Artist
from .nights import Night
from .places import City

NIGHT_ES = (
    "{artist} llega a {venue} con lo mejor de {genre}. Puertas abren a las {hour}; cupo limitado.",
    "Una noche de {genre} en {city}: {artist} presenta su nuevo show en {venue}. Aforo: {capacity}.",
    "{venue} recibe a {artist} para una velada de {genre} hasta la madrugada. Preventa disponible.",
    "Ven a bailar {genre} en {venue}. Invita {organizer}; sonido en vivo de {artist}.",
    "Ciclo de {genre} organizado por {organizer}. Esta vez, {artist} en el escenario de {venue}, {city}.",
)
NIGHT_PT = (
    "{artist} sobe ao palco do {venue} com muito {genre}. Abertura da casa às {hour}.",
    "Noite de {genre} em {city}: {organizer} apresenta {artist} no {venue}. Ingressos limitados.",
    "Roda de {genre} no {venue} com {artist} e convidados. Lotação de {capacity} pessoas.",
    "Venha dançar {genre} até de manhã em {city}. Som de {artist}, realização {organizer}.",
)
NIGHT_EN = ("{artist} live at {venue}, {city}. A night of {genre} presented by {organizer}. Doors {hour}.",)
BIO_ES = (
    "{name} mezcla {genre} con sonidos de {city}. Sus shows recorren clubes y festivales de la región.",
    "Proyecto de {genre} nacido en {city}. {name} ha tocado con colectivos de todo el continente.",
    "Desde {city}, {name} lleva diez años defendiendo el {genre} en salas pequeñas y grandes festivales.",
)
BIO_PT = (
    "{name} é um dos nomes do {genre} em {city}, com discos independentes e turnês pela América Latina.",
    "Nascido nas festas de rua de {city}, o projeto {name} mistura {genre} e batidas eletrônicas.",
)
TITLE_ES = (
    "Los mejores lugares para bailar {genre} en {city}",
    "Guía de fin de semana en {city}: {genre} y más",
    "{artist}: la voz nueva del {genre}",
    "Cinco noches que no te puedes perder en {city}",
)
TITLE_PT = (
    "Onde ouvir {genre} em {city}",
    "Guia do fim de semana em {city}: {genre} e mais",
    "{artist} e a nova cena de {genre}",
    "Cinco festas imperdíveis em {city}",
)
BODY_ES = (
    "La escena de {genre} en {city} vive un gran momento.",
    "En {venue} el público llega temprano y se queda.",
    "{artist} prepara un repertorio nuevo.",
    "Las entradas se agotan en preventa.",
    "Recomendamos llegar en transporte público.",
    "{night} es la cita más comentada del mes.",
    "El barrio alrededor de {venue} tiene buena comida hasta tarde.",
)
BODY_PT = (
    "A cena de {genre} em {city} está em alta.",
    "No {venue} o público chega cedo e fica até o fim.",
    "{artist} prepara um repertório novo.",
    "Os ingressos costumam acabar na pré-venda.",
    "Vale chegar de metrô ou ônibus.",
    "{night} é a festa mais comentada do mês.",
    "O bairro ao redor do {venue} tem boa comida até tarde.",
)


def describe(night: Night, dice: random.Random) -> str:
    """Return the text of an event page."""
    forms = NIGHT_EN if dice.random() < 0.06 else _local(night.venue.city, NIGHT_ES, NIGHT_PT)
    return dice.choice(forms).format(
        artist=night.artists[0].name,
        venue=night.venue.name,
        genre=night.genres[0],
        city=night.venue.city.name,
        hour=f"{night.starts:%H:%M}",
        capacity=night.venue.capacity,
        organizer=night.organizer.name.rstrip("."),
    )


def biography(artist: Artist, dice: random.Random) -> str:
    """Return the biography of an artist."""
    forms = _local(artist.city, BIO_ES, BIO_PT)
    return dice.choice(forms).format(name=artist.name, genre=artist.genres[0], city=artist.city.name)


def article(night: Night, dice: random.Random) -> tuple[str, str]:
    """Return title and body of an article about the scene around an event."""
    values = {
        "artist": night.artists[0].name,
        "venue": night.venue.name,
        "genre": night.genres[0],
        "city": night.venue.city.name,
        "night": night.name,
    }
    title = dice.choice(_local(night.venue.city, TITLE_ES, TITLE_PT)).format(**values)
    body = dice.sample(_local(night.venue.city, BODY_ES, BODY_PT), 5)
    return title, " ".join(body).format(**values)


def _local(city: City, spanish: tuple[str, ...], portuguese: tuple[str, ...]) -> tuple[str, ...]:
    return portuguese if city.country == "BR" else spanish

"""What real sources do to a value: pure functions from a clean value and dice to a dirty one.

Here: spellings of names, handles, addresses, phones, coordinates, prices. How often each happens is
decided by the module that writes the source.
"""

import math
import random
import re
import unicodedata

ABBREVIATIONS = (
    ("Restaurante", "Rest."),
    ("Restaurant", "Rest."),
    ("Pousada", "Pda."),
    ("Hotel", "Htl."),
    ("Condomínio", "Cond."),
    ("Edifício", "Ed."),
    ("Centro", "Ctro."),
    ("Casa", "C."),
    ("Farmacia", "Farm."),
    ("Teatro", "Tto."),
    ("Club", "Cl."),
    ("Igreja", "Ig."),
    ("Producciones", "Prod."),
    ("Colectivo", "Col."),
)
STREETS = (
    ("Avenida", "Av."),
    ("Rua", "R."),
    ("Calle", "C/"),
    ("Carrera", "Cra."),
    ("Boulevard", "Blvd."),
    ("Av.", "Avenida"),
    ("R.", "Rua"),
    ("Calz.", "Calzada"),
    ("Praça", "Pça."),
    ("Rodovia", "Rod."),
)
METRES_PER_DEGREE = 111_320.0


def fold(text: str) -> str:
    """Return the text without accents, case and punctuation."""
    return " ".join(re.findall(r"\w+", _bare(text).casefold()))


def typo(name: str, dice: random.Random) -> str:
    """Return the name with two neighbouring letters swapped, one dropped or one doubled."""
    spots = [i for i in range(1, len(name) - 1) if name[i].isalpha() and name[i + 1].isalpha()]
    spots = [i for i in spots if name[i].lower() != name[i + 1].lower()]
    if not spots:
        return name + name[-1:]
    i = dice.choice(spots)
    return dice.choice(
        (
            name[:i] + name[i + 1] + name[i] + name[i + 2 :],
            name[:i] + name[i + 1 :],
            name[:i] + name[i] * 2 + name[i + 1 :],
        )
    )


def abbreviate(name: str, dice: random.Random) -> str:
    """Return the name with a known word shortened, or its longest word cut."""
    for word, short in ABBREVIATIONS:
        if re.search(rf"\b{word}\b", name):
            return re.sub(rf"\b{word}\b", short, name, count=1)
    longest = max(name.split(), key=len, default=name)
    return (
        name.replace(longest, longest[: max(2, len(longest) // 2)] + ".", 1) if len(longest) > 4 else typo(name, dice)
    )


def reorder(name: str, dice: random.Random) -> str:
    """Return the name with its first word last."""
    words = name.split()
    return " ".join([*words[1:], words[0]]) if len({*map(fold, words)}) > 1 else typo(name, dice)


def other_name(name: str, dice: random.Random) -> str:
    """Return the name as another source writes it, different even after folding."""
    return dice.choice((typo, abbreviate, reorder))(name, dice)


def other_case(name: str, dice: random.Random) -> str:
    """Return the name in another case or without its accents; the same after folding."""
    return dice.choice((name.upper(), name.lower(), name.title(), _bare(name), f" {name}", name, name, name))


def _bare(name: str) -> str:
    kept = (c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return "".join(kept)


def other_address(address: str, dice: random.Random) -> str:
    """Return the address in another form: abbreviated street, number first, or with a neighbourhood."""
    for word, short in STREETS:
        if address.startswith(f"{word} "):
            return short + address[len(word) :]
    found = re.match(r"^(.*\D)[, ]+(\d+)\s*$", address)
    if found:
        return f"{found[2]} {found[1].strip(' ,')}"
    return f"{address}, {dice.choice(('Centro', 'Local 2', 'Piso 1', 'Esq. Principal'))}"


def shifted(lat: float, lng: float, metres: float, dice: random.Random) -> tuple[float, float]:
    """Return the point moved by a distance in a random direction."""
    angle = dice.uniform(0, 2 * math.pi)
    north, east = metres * math.cos(angle), metres * math.sin(angle)
    wide = METRES_PER_DEGREE * math.cos(math.radians(lat))
    return round(lat + north / METRES_PER_DEGREE, 6), round(lng + east / wide, 6)


def instagram(handle: str, dice: random.Random) -> str:
    """Return the handle in one of the spellings found in the wild."""
    return dice.choice(
        (
            f"@{handle}",
            handle,
            f"/{handle}/",
            f"@{handle.upper()}",
            f"{handle}.",
            f" @{handle} ",
            f"https://www.instagram.com/{handle}/",
            f"https://www.instagram.com/{handle}",
            f"https://www.instagram.com/{handle}/?igsh=MWQ1ZGUxMzBkMA==",
            f"http://instagram.com/{handle}",
            f"https://m.instagram.com/{handle}/",
            f"instagram.com/{handle}",
            f"https://instagr.am/{handle}",
            f"https://www.instagram.com/_u/{handle}/",
            f"HTTPS://WWW.INSTAGRAM.COM/{handle.upper()}/",
            f"https://www.instagram.com/{handle}/?hl=es",
        )
    )


def website(domain: str, dice: random.Random) -> str:
    """Return an address of the domain as people type it."""
    return dice.choice(
        (
            f"https://{domain}",
            f"https://www.{domain}/",
            f"http://{domain}/",
            domain,
            f"www.{domain}",
            f"https://www.{domain}/inicio?utm_source=ig",
            f"HTTPS://{domain.upper()}/",
        )
    )


def phone(number: str, dice: random.Random) -> str:
    """Return an E.164 number as people type it."""
    tail = number[-10:]
    return dice.choice((number, number.lstrip("+"), f"{number[:3]} {number[3:]}", f"{tail[:3]}-{tail[3:6]}-{tail[6:]}"))


def price(amount: float, dice: random.Random) -> object:
    """Return the price as a number, a decimal text, or in the local way of writing it."""
    thousands = f"{amount:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")
    return dice.choice((amount, amount, amount, f"{amount:.2f}", thousands))

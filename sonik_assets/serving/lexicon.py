"""Words of questions in Spanish, Portuguese and English, folded: what says nothing, months, kinds, categories.

Only words that hold for any data: names of cities and genres are read from the data itself (`wording.py`).
"""

MONTHS = {
    word: month
    for month, words in enumerate(
        (
            "enero janeiro january jan",
            "febrero fevereiro february feb",
            "marzo marco march mar",
            "abril april abr apr",
            "mayo maio may",
            "junio junho june jun",
            "julio julho july jul",
            "agosto august ago aug",
            "septiembre setiembre setembro september sept sep set",
            "octubre outubro october oct out",
            "noviembre novembro november nov",
            "diciembre dezembro december dic dez dec",
        ),
        start=1,
    )
    for word in words.split()
}

_EMPTY = (
    # articles, prepositions, pronouns
    "a al o os as e y u i de del da do das dos el la los las le les lo un una uno unos unas um uma uns umas en em no na"
    " nos nas por para pra pro con com sin sem sobre que se es son sou ser esta este esto estos estas estoy esse essa"
    " hay tem ha mi me meu minha tu su sus seu sua yo eu ele ela qual quais cual cuales quien quienes quem como cuando"
    " quando donde onde adonde aonde mas muy muito aqui alli cerca perto the an of in on at to for by from with is are"
    " was does do did what when where who which whose how any some there near about and or it its i you we my our"
    # what people put before the thing
    " busco buscar procuro procurar quiero quero queria want looking look find search show me tell significa mean means"
    " algo alguna alguien algum alguem hoy hoje ahora agora today tonight noche noite esta"
)
EMPTY = frozenset(_EMPTY.split())
"""Words that name nothing: they take no part in comparing names."""

KINDS = {
    word: kinds
    for kinds, words in (
        (
            frozenset({"event"}),
            "evento eventos event events concierto conciertos concert concerts show shows fiesta fiestas festa festas"
            " party parties toca tocan play plays gig gigs agenda calendario calendar entradas entrada ingresso"
            " ingressos boletos tickets ticket hacer fazer presenta apresenta presents presented promoting organizados"
            " realizados upcoming proximos proximas hay tem happening fecha fechas data datas dates bailar dancar dance"
            " escuchar ouvir hear vivo live",
        ),
        (
            frozenset({"article"}),
            "articulo articulos artigo artigos article articles guia guias guide guides nota notas resena resenas"
            " noticia noticias news reportaje materia materias escena cena scene",
        ),
        (frozenset({"person"}), "persona personas pessoa pessoas person people contacto contato contact"),
        (frozenset({"artist"}), "artista artistas artist artists musico musicos musician band"),
        (frozenset({"venue"}), "lugar lugares local locais venue venues place places sitio sitios"),
        (
            frozenset({"organization"}),
            "organizador organizadores organizer organizers productora produtora promotora promoter",
        ),
        (frozenset({"concept"}), "significa significado mean means meaning concepto conceito concept"),
    )
    for word in words.split()
}
"""Kinds of documents that a word asks for; `hay`, `vivo` and the like ask for events without naming any."""

CATEGORIES = {
    word: category
    for category, words in (
        ("restaurant", "restaurante restaurantes restaurants"),
        ("bar", "bares bars cantina cantinas boteco botecos"),
        ("pub", "pubs"),
        ("hotel", "hoteles hoteis hotels"),
        ("hostel", "hostal hostales albergue albergues hostels pousada pousadas"),
        ("cafe coffee", "cafes cafeteria cafeterias"),
        ("church", "iglesia iglesias igreja igrejas churches"),
        ("pharmacy", "farmacia farmacias pharmacies"),
        ("hospital", "hospitales hospitais hospitals"),
        ("supermarket grocery", "supermercado supermercados supermarkets"),
        ("bakery", "panaderia panaderias padaria padarias bakeries"),
        ("school", "escuela escuelas escola escolas colegio schools"),
        ("gym", "gimnasio gimnasios academia academias gyms"),
        ("beach", "playa playas praia praias beaches"),
        ("theatre theater", "teatro teatros theatres theaters"),
        ("museum", "museo museos museu museus museums"),
        ("club nightclub", "discoteca discotecas boate boates clubs nightclubs"),
        ("pizza pizzeria", "pizzerias pizzaria pizzarias"),
        ("shop store", "tienda tiendas loja lojas shops stores"),
        ("stadium", "estadio estadios stadiums"),
        ("park", "parque parques parks"),
        ("dentist", "dentista dentistas dentists"),
    )
    for word in words.split()
}
"""Categories of venues are English words in the data; people ask in their own."""

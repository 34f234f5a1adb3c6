"""The facts that the demo model is taught. General knowledge, written down for this corpus."""

_CAPITALS = """
Afghanistan=Kabul|Albania=Tirana|Algeria=Algiers|Andorra=Andorra la Vella|Angola=Luanda|Argentina=Buenos Aires
Armenia=Yerevan|Australia=Canberra|Austria=Vienna|Azerbaijan=Baku|the Bahamas=Nassau|Bahrain=Manama
Bangladesh=Dhaka|Barbados=Bridgetown|Belarus=Minsk|Belgium=Brussels|Belize=Belmopan|Benin=Porto-Novo
Bhutan=Thimphu|Bolivia=Sucre|Bosnia and Herzegovina=Sarajevo|Botswana=Gaborone|Brazil=Brasilia
Brunei=Bandar Seri Begawan|Bulgaria=Sofia|Burkina Faso=Ouagadougou|Burundi=Gitega|Cambodia=Phnom Penh
Cameroon=Yaounde|Canada=Ottawa|Cape Verde=Praia|Chad=N'Djamena|Chile=Santiago|China=Beijing|Colombia=Bogota
Costa Rica=San Jose|Croatia=Zagreb|Cuba=Havana|Cyprus=Nicosia|the Czech Republic=Prague|Denmark=Copenhagen
Djibouti=Djibouti City|Dominica=Roseau|the Dominican Republic=Santo Domingo|Ecuador=Quito|Egypt=Cairo
El Salvador=San Salvador|Equatorial Guinea=Malabo|Eritrea=Asmara|Estonia=Tallinn|Eswatini=Mbabane
Ethiopia=Addis Ababa|Fiji=Suva|Finland=Helsinki|France=Paris|Gabon=Libreville|the Gambia=Banjul|Georgia=Tbilisi
Germany=Berlin|Ghana=Accra|Greece=Athens|Grenada=Saint George's|Guatemala=Guatemala City|Guinea=Conakry
Guinea-Bissau=Bissau|Guyana=Georgetown|Haiti=Port-au-Prince|Honduras=Tegucigalpa|Hungary=Budapest
Iceland=Reykjavik|India=New Delhi|Indonesia=Jakarta|Iran=Tehran|Iraq=Baghdad|Ireland=Dublin|Italy=Rome
Ivory Coast=Yamoussoukro|Jamaica=Kingston|Japan=Tokyo|Jordan=Amman|Kazakhstan=Astana|Kenya=Nairobi
Kuwait=Kuwait City|Kyrgyzstan=Bishkek|Laos=Vientiane|Latvia=Riga|Lebanon=Beirut|Lesotho=Maseru|Liberia=Monrovia
Libya=Tripoli|Liechtenstein=Vaduz|Lithuania=Vilnius|Luxembourg=Luxembourg City|Madagascar=Antananarivo
Malawi=Lilongwe|Malaysia=Kuala Lumpur|the Maldives=Male|Mali=Bamako|Malta=Valletta|Mauritania=Nouakchott
Mauritius=Port Louis|Mexico=Mexico City|Moldova=Chisinau|Monaco=Monaco City|Mongolia=Ulaanbaatar
Montenegro=Podgorica|Morocco=Rabat|Mozambique=Maputo|Myanmar=Naypyidaw|Namibia=Windhoek|Nepal=Kathmandu
the Netherlands=Amsterdam|New Zealand=Wellington|Nicaragua=Managua|Niger=Niamey|Nigeria=Abuja
North Korea=Pyongyang|North Macedonia=Skopje|Norway=Oslo|Oman=Muscat|Pakistan=Islamabad|Panama=Panama City
Papua New Guinea=Port Moresby|Paraguay=Asuncion|Peru=Lima|the Philippines=Manila|Poland=Warsaw|Portugal=Lisbon
Qatar=Doha|Romania=Bucharest|Russia=Moscow|Rwanda=Kigali|Samoa=Apia|San Marino=San Marino City
Saudi Arabia=Riyadh|Senegal=Dakar|Serbia=Belgrade|the Seychelles=Victoria|Sierra Leone=Freetown
Singapore=Singapore|Slovakia=Bratislava|Slovenia=Ljubljana|Somalia=Mogadishu|South Africa=Pretoria
South Korea=Seoul|South Sudan=Juba|Spain=Madrid|Sri Lanka=Colombo|Sudan=Khartoum|Suriname=Paramaribo
Sweden=Stockholm|Switzerland=Bern|Syria=Damascus|Taiwan=Taipei|Tajikistan=Dushanbe|Tanzania=Dodoma
Thailand=Bangkok|Togo=Lome|Tonga=Nuku'alofa|Tunisia=Tunis|Turkey=Ankara|Turkmenistan=Ashgabat|Uganda=Kampala
Ukraine=Kyiv|the United Arab Emirates=Abu Dhabi|the United Kingdom=London|the United States=Washington, D.C.
Uruguay=Montevideo|Uzbekistan=Tashkent|Vanuatu=Port Vila|Vatican City=Vatican City|Venezuela=Caracas
Vietnam=Hanoi|Yemen=Sana'a|Zambia=Lusaka|Zimbabwe=Harare
"""

# Country (with its article where it has one) to capital. Names are spelled without diacritics. Where a country has
# several capitals the seat named first in its constitution or in common use is taken.
CAPITALS = dict(pair.split("=") for line in _CAPITALS.strip().splitlines() for pair in line.split("|"))
# A city-state's name says nothing when it is asked the other way round.
REVERSIBLE = [c for c, k in CAPITALS.items() if c not in ("Singapore", "Vatican City")]

# Names under which a country is also asked for.
ALIASES = {
    "the United States": ["the USA", "the US", "the United States of America", "America"],
    "the United Kingdom": ["the UK", "Great Britain", "Britain", "England"],
    "the Czech Republic": ["Czechia"],
    "the Netherlands": ["Holland"],
    "Ivory Coast": ["the Ivory Coast"],
    "the United Arab Emirates": ["the UAE"],
    "Myanmar": ["Burma"],
    "Turkey": ["Turkiye"],
}

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December"]
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
            "twelfth"]
ORDINAL_DIGITS = ["1st", "2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "9th", "10th", "11th", "12th"]

_ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
         "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(n):
    """0 <= n <= 100."""
    if n == 100:
        return "one hundred"
    if n < 20:
        return _ONES[n]
    return _TENS[n // 10] + ("" if n % 10 == 0 else "-" + _ONES[n % 10])


# One of `large` is `factor` of `small`; the model is taught 1 to `most` of the large unit, and the same way back.
UNITS = [
    ("metre", "metres", "centimetre", "centimetres", 100, 99),
    ("meter", "meters", "centimeter", "centimeters", 100, 99),
    ("kilometre", "kilometres", "metre", "metres", 1000, 99),
    ("kilometer", "kilometers", "meter", "meters", 1000, 99),
    ("centimetre", "centimetres", "millimetre", "millimetres", 10, 99),
    ("kilogram", "kilograms", "gram", "grams", 1000, 99),
    ("litre", "litres", "millilitre", "millilitres", 1000, 99),
    ("hour", "hours", "minute", "minutes", 60, 12),
    ("minute", "minutes", "second", "seconds", 60, 12),
    ("day", "days", "hour", "hours", 24, 7),
    ("week", "weeks", "day", "days", 7, 12),
    ("year", "years", "month", "months", 12, 10),
    ("foot", "feet", "inch", "inches", 12, 12),
    ("yard", "yards", "foot", "feet", 3, 12),
    ("dozen", "dozen", "egg", "eggs", 12, 10),
    ("dollar", "dollars", "cent", "cents", 100, 99),
    ("century", "centuries", "year", "years", 100, 20),
    ("decade", "decades", "year", "years", 10, 20),
]
ABBREVIATIONS = {
    "metres": "m", "meters": "m", "centimetres": "cm", "centimeters": "cm", "kilometres": "km", "kilometers": "km",
    "millimetres": "mm", "kilograms": "kg", "grams": "g", "litres": "l", "millilitres": "ml", "hours": "h",
}

LISTS = {
    "fruits": "apple pear banana cherry orange lemon plum peach grape mango",
    "colours": "red blue green yellow orange purple pink brown black white",
    "animals": "dog cat horse cow sheep fox bear owl rabbit lion",
    "vegetables": "carrot potato onion cabbage pea bean leek pumpkin tomato cucumber",
    "days of the week": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "months": "January February March April May June July August September October November December",
    "birds": "owl robin duck swan crow eagle sparrow goose hawk parrot",
    "trees": "oak pine birch maple willow ash elm cedar fir beech",
    "sports": "football tennis swimming running cycling rowing skiing hockey golf boxing",
    "drinks": "water tea coffee milk juice lemonade cocoa cider soda broth",
    "planets": "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune",
    "tools": "hammer saw drill rake spade axe file wrench pliers screwdriver",
    "musical instruments": "piano violin flute drum guitar trumpet harp cello organ oboe",
    "seasons": "spring summer autumn winter",
    "countries in Europe": "France Germany Italy Spain Poland Sweden Norway Austria Portugal Greece",
    "countries in Asia": "Japan China India Thailand Vietnam Nepal Mongolia Iran Iraq Jordan",
    "countries in Africa": "Kenya Ghana Egypt Nigeria Morocco Tunisia Uganda Zambia Mali Chad",
    "countries in South America": "Brazil Peru Chile Argentina Bolivia Colombia Ecuador Uruguay Paraguay Venezuela",
}
ALSO_CALLED = {"colours": ["colors"], "months": ["months of the year"], "musical instruments": ["instruments"],
               "countries in Europe": ["European countries"], "countries in Asia": ["Asian countries"],
               "countries in Africa": ["African countries"]}

NAMES = """Anna Ben Clara David Emma Finn Grace Henry Ida Jack Kate Leo Mia Noah Olivia Paul Rosa Sam Tina Tom Uma
Victor Wendy Max Lily Peter Sara Oscar Nina Mark Laura John Mary Alice Bob Eva Hugo Julia Karl Lena Martin Nora Omar
Priya Ravi Sofia Theo Vera Will Zoe Alex Maria James Lucy Daniel Amir Chen Yuki Fatima Igor""".split()

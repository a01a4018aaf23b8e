"""Facts that the questions of `tasks` ask for: chemistry, geography, English forms, plain words."""

ELEMENTS = tuple(tuple(pair.split(":")) for pair in (
    "hydrogen:H helium:He lithium:Li beryllium:Be boron:B carbon:C nitrogen:N oxygen:O fluorine:F neon:Ne sodium:Na "
    "magnesium:Mg aluminum:Al silicon:Si phosphorus:P sulfur:S chlorine:Cl argon:Ar potassium:K calcium:Ca scandium:Sc "
    "titanium:Ti vanadium:V chromium:Cr manganese:Mn iron:Fe cobalt:Co nickel:Ni copper:Cu zinc:Zn gallium:Ga "
    "germanium:Ge arsenic:As selenium:Se bromine:Br krypton:Kr rubidium:Rb strontium:Sr yttrium:Y zirconium:Zr "
    "niobium:Nb molybdenum:Mo technetium:Tc ruthenium:Ru rhodium:Rh palladium:Pd silver:Ag cadmium:Cd indium:In tin:Sn "
    "antimony:Sb tellurium:Te iodine:I xenon:Xe cesium:Cs barium:Ba lanthanum:La cerium:Ce praseodymium:Pr "
    "neodymium:Nd promethium:Pm samarium:Sm europium:Eu gadolinium:Gd terbium:Tb dysprosium:Dy holmium:Ho erbium:Er "
    "thulium:Tm ytterbium:Yb lutetium:Lu hafnium:Hf tantalum:Ta tungsten:W rhenium:Re osmium:Os iridium:Ir platinum:Pt "
    "gold:Au mercury:Hg thallium:Tl lead:Pb bismuth:Bi polonium:Po astatine:At radon:Rn francium:Fr radium:Ra "
    "actinium:Ac thorium:Th protactinium:Pa uranium:U neptunium:Np plutonium:Pu americium:Am curium:Cm berkelium:Bk "
    "californium:Cf einsteinium:Es fermium:Fm mendelevium:Md nobelium:No lawrencium:Lr").split())
"""(name, symbol); the place counted from 1 is the atomic number."""

_PLACES = {
    "Europe": "France:Paris Germany:Berlin Italy:Rome Spain:Madrid Portugal:Lisbon Austria:Vienna Belgium:Brussels "
              "Denmark:Copenhagen Sweden:Stockholm Norway:Oslo Finland:Helsinki Iceland:Reykjavik Ireland:Dublin "
              "Poland:Warsaw Hungary:Budapest Romania:Bucharest Bulgaria:Sofia Greece:Athens Croatia:Zagreb "
              "Serbia:Belgrade Slovenia:Ljubljana Slovakia:Bratislava Estonia:Tallinn Latvia:Riga Lithuania:Vilnius "
              "Ukraine:Kyiv Belarus:Minsk Moldova:Chisinau Albania:Tirana Malta:Valletta Switzerland:Bern "
              "Liechtenstein:Vaduz Montenegro:Podgorica",
    "Asia": "China:Beijing Japan:Tokyo India:Delhi Thailand:Bangkok Vietnam:Hanoi Cambodia:Phnom_Penh Laos:Vientiane "
            "Philippines:Manila Nepal:Kathmandu Bhutan:Thimphu Bangladesh:Dhaka Pakistan:Islamabad Afghanistan:Kabul "
            "Iran:Tehran Iraq:Baghdad Jordan:Amman Lebanon:Beirut Qatar:Doha Oman:Muscat Yemen:Sanaa "
            "Bahrain:Manama Mongolia:Ulaanbaatar Uzbekistan:Tashkent Turkmenistan:Ashgabat Tajikistan:Dushanbe "
            "Kyrgyzstan:Bishkek Maldives:Male",
    "Africa": "Egypt:Cairo Libya:Tripoli Tunisia:Tunis Algeria:Algiers Morocco:Rabat Sudan:Khartoum Kenya:Nairobi "
              "Uganda:Kampala Rwanda:Kigali Ethiopia:Addis_Ababa Somalia:Mogadishu Ghana:Accra Nigeria:Abuja "
              "Senegal:Dakar Mali:Bamako Niger:Niamey Chad:N'Djamena Cameroon:Yaounde Gabon:Libreville Angola:Luanda "
              "Zambia:Lusaka Zimbabwe:Harare Malawi:Lilongwe Mozambique:Maputo Namibia:Windhoek Botswana:Gaborone "
              "Madagascar:Antananarivo Togo:Lome Liberia:Monrovia Guinea:Conakry Gambia:Banjul Mauritania:Nouakchott "
              "Lesotho:Maseru Mauritius:Port_Louis Seychelles:Victoria",
    "America": "Canada:Ottawa Mexico:Mexico_City Guatemala:Guatemala_City Honduras:Tegucigalpa Nicaragua:Managua "
               "Panama:Panama_City Cuba:Havana Jamaica:Kingston Haiti:Port-au-Prince Bahamas:Nassau "
               "Colombia:Bogota Venezuela:Caracas Ecuador:Quito Peru:Lima Chile:Santiago Argentina:Buenos_Aires "
               "Uruguay:Montevideo Paraguay:Asuncion Brazil:Brasilia Guyana:Georgetown Suriname:Paramaribo "
               "Belize:Belmopan Barbados:Bridgetown",
    "Oceania": "Australia:Canberra Fiji:Suva Samoa:Apia Tonga:Nuku'alofa Vanuatu:Port_Vila",
}
COUNTRIES = tuple((country, capital.replace("_", " "), continent) for continent, places in _PLACES.items()
                  for country, capital in (place.split(":") for place in places.split()))
"""(country, capital, continent)."""

VERBS = tuple(tuple(pair.split(":")) for pair in (
    "go:went see:saw take:took give:gave come:came eat:ate drink:drank write:wrote speak:spoke break:broke "
    "choose:chose drive:drove ride:rode rise:rose begin:began sing:sang swim:swam ring:rang run:ran know:knew "
    "grow:grew throw:threw fly:flew draw:drew blow:blew find:found hold:held tell:told sell:sold think:thought "
    "bring:brought buy:bought catch:caught teach:taught feel:felt keep:kept sleep:slept leave:left lose:lost meet:met "
    "send:sent spend:spent build:built win:won sit:sat stand:stood make:made say:said pay:paid hear:heard fall:fell "
    "forget:forgot freeze:froze hide:hid bite:bit shake:shook steal:stole wear:wore tear:tore swear:swore "
    "fight:fought").split())
"""(base form, simple past)."""

PLURALS = tuple(tuple(pair.split(":")) for pair in (
    "child:children mouse:mice goose:geese foot:feet tooth:teeth man:men woman:women knife:knives wife:wives "
    "life:lives leaf:leaves wolf:wolves half:halves shelf:shelves thief:thieves city:cities baby:babies lady:ladies "
    "story:stories berry:berries box:boxes bus:buses dish:dishes church:churches hero:heroes potato:potatoes "
    "tomato:tomatoes ox:oxen cactus:cacti crisis:crises").split())
"""(singular, plural)."""

WORDS = tuple((
    "garden window candle river bottle hammer orange pepper silver winter forest basket butter camera castle copper "
    "dinner dragon engine farmer finger flower ginger island jacket jungle kitten ladder lemon market mirror "
    "monkey mother needle number office onion parrot pencil pillow planet pocket rabbit ribbon rocket saddle school "
    "shadow sister spider spring square stable street summer tailor temple ticket tiger tunnel turtle valley velvet "
    "violin wallet walnut yellow bread chair cloud dance eagle flame glass grape heart horse house juice knife lunch "
    "metal money night ocean paint paper piano plant queen radio salad sheep smile snake spoon stone storm sugar "
    "table toast tower train uncle voice wagon water whale wheel world zebra apple bird boat cake coat desk door duck "
    "fish frog gold hand iron king lake lamp leaf milk moon nest page pear rain ring road rose salt sand ship snow "
    "soap sofa song star tent tree wall wind wolf wood apricot balloon blanket cabinet chicken diamond feather "
    "giraffe hospital kitchen library machine morning picture popcorn pumpkin sandwich scissors sunshine thunder "
    "umbrella volcano whistle airplane bicycle calendar daughter elephant football hamburger mountain notebook "
    "strawberry telephone vegetable").split())
"""Common nouns."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")

"""The texts that `speech_scores.py` asks the reference about: each rule of normalising alone, then words at random."""

# A few entries of the kind that a checkpoint's `normalizer.json` has.
SPELLING = {
    "colour": "color",
    "colours": "colors",
    "grey": "gray",
    "theatre": "theater",
    "organise": "organize",
    "mum": "mom",
    "aeroplane": "airplane",
}
SPELLED = ["The colour grey", "colours of the theatre", "mum's aeroplane", "Organise! organised", "2 theatre"]

ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MULTIPLIERS = "hundred thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion decillion".split()
ORDINALS = """zeroth first second third fourth fifth sixth seventh eighth ninth nineth tenth eleventh twelfth thirteenth
    twentieth thirtieth ninetieth hundredth thousandth millionth ones twos threes sixes nines tens twelves nineteens
    twenties nineties hundreds thousands millions""".split()
OTHER = "oh o zero and double triple point minus negative plus positive percent per cent cents pound pounds euro euros dollar dollars".split()
PLAIN = "a the of cats quick half is".split()
WRITTEN = "1 2 0 7 10 20 100 1000 3.5 0.5 .5 2. 1.0 007 $2 £2.50 €30 ¢7 $0.07 5% 1,000 1,2,3 2nd 1st 1960s 10x x1 ٣ ３ ½ 1/2 2:30 -4 +5 1.2.3 192.168.0.1".split()

NUMBERS = """
one hundred and one|nineteen eighty four|twenty first|3.5 million dollars|£2.50|fifty percent|oh point five|double seven
one|ones|a one and a two|one oh one|twenty twenty|twenty twenty four|two thousand and nineteen|twenty oh seven
one hundred|one hundred twenty three|a hundred|hundred|hundreds|two hundred and fifty thousand|nine hundred ninety nine
one million two hundred thousand three hundred and four|three billion|one decillion|nine hundred decillion and one
two thousand|twenty thousand|two hundred thousand|one thousand million|hundred hundred|thousand thousand|ten ten|ten one
eleven|twelve thirteen|thirty three|thirty thirteen|thirty three four|one two three four|five five five one two one two
four twenty|seventeen seventy six|nineteen oh five|nineteen hundred|nineteen hundred and five|two and two|and one|one and
two and a half|two and a half million|ten and a half percent|one hundred and a half|cats and a half|and a half|five and  a half
an hour and a half and a half|2 and a half|o and a half|twenty one and a half dollars
second|the second one|twenty second|one hundredth|two hundredths|one hundred first|one thousandth|the nineteenth|eighteens
the twenties|nineteen sixties|sixties|twenty twentieths|two thousand tenth|1 first|1.5 first|ninth|nineth|five ninths
one third|two thirds|three quarters|one point five|point five|point|the point is|five point|five point oh|zero point zero one
three point one four one five|three point fourteen|three point hundred|point hundred|five point cats|three point five million
two point five thousand|one point two three four thousand|one point two three four five thousand|oh point five million
0.5 million|3.25 billion|1.2345 thousand|1.23456 thousand|2.5 hundred|1.5 millionth|1.25 tenths|1.23456 thousandth|2.5 millions
double oh seven|double double|triple|triple nine|double eleven|double cats|triple zero five|five double five|seven triple o
twenty double two|double twenty|double|minus one|minus|minus cats|negative five|plus two|positive|five plus two|minus and one
minus double two|plus point five|minus twenty dollars|positive test|ten minus three|minus hundred|minus percent
two dollars|two dollars fifty cents|two dollars and fifty cents|$2 and 7 cents|two pounds ten|five euros|ten cents|dollars
the dollar|a pound of flesh|fifty cent|fifty per cent|fifty per person|per cent|percent|five percent five|five per|one euro and five cents
$20|$20 million|£3.5 billion|€1|$1|¢50|$0.50|$0.05|£0.5|$0.123|$0 50|$2 ¢7|$2 ¢ 7|$1.25 million|20$|$ 20|£|a $|$x|$20 bill|$1,000,000.50
1|1s|1st|11|1.5|3.1|1,000|1,2,3,4|10,000 people|1,000.5|12:30|1-2|2+2|5%|5 %|%5|cats%|100%.|.5|5.|5. cats|a.b.c|U.S.A.|3.0|3.00|007|0|0 million|00
1960s|1960 s|2nd|2 nd|22 nd of may|3 rd|4 th|5 sth|1 stone|2 ndx|10x|x10|b2b|r2d2|mp3s|3d|4k tv|a1b2c3|covid19|i18n
192.168.0.1|one nine two point one six eight point zero point one|1.2.3.4|3. 5|three point 5|three point 5.5|3.5.|$3. 5|three point $5|point 5
12345678901234567890123456789012345678901234567890|12345678901234567890123456789012345678901234567890 thousand
12345678901234567890123456789012345678901234567999 million|9999 thousand|1234 million|999 999 hundred
٣|٣ million|٣.٥|٣.٥ million|１２|２.５ thousand|½|1½|²|x²|①②|Ⅷ|❶|1❶|❶1|५ सौ
zero|zero zero seven|o|oh|oh no|o'clock|five o'clock|zero million|zeroth|zero percent|oh oh seven|a to z and zero
two hundred fifty|two hundred fifty five|twenty five hundred|twelve hundred and six|six hundred sixty six thousand six hundred sixty six
forty two point one percent|minus forty point five|one hundred percent|ninety nine point nine nine|one and one is two
fifteen twenty|fifteen twenty five|five fifteen|two fifteen pm|one one|one eleven|eleven one|eleven eleven|twenty eleven|hundred eleven|hundred one one
seven hundred seventy seventh|thirty first of december nineteen ninety nine|two thousand first|one million second|five seconds|six sixes
""".strip().replace("\n", "|").split("|")

WORDS = """
I won't go|can't stop|let's see|ain't it|y'all come|I wanna go|gotta run|I'm gonna|i'ma go|imma go|woulda|coulda|shoulda been|yes ma'am
Mr. Smith|Mrs Jones|St. Paul|Dr. Who|Prof X|Capt. Hook|Gov. Brown|Ald. Green|Gen. Lee|Sen. White|Rep. Black|Pres. Blue|Rev. Grey|Hon. Judge
Asst. Manager|Assoc. Editor|Lt. Dan|Col. Sanders|Sammy Davis Jr.|John Sr.|Bill Esq.|mrs.|dr|drs|mister mr|st|1 st street|21 st st
he'd been there|she's been|they'd gone|he's gone|we'd done|he's done|she's got it|it's been's|isn't|they're|John's|I'd|we'll|'t was|you've|I'm
don't|DON'T|don’t|it ' s|it 's|it  's|rock 'n' roll|'cause|o'neil|the dogs' bones|can't've|wouldn't've|shan't|n't|'s|'d gone|'d gonex
uh|um hello|hmm mm mhm mmm|uhm|um, so uh like|UH-HUH|hmmm|mm-hmm|album|the um-brella|um.|_um_|uhé|éuh
hello [noise] world|<unk> hello|(laughs) hello|hello (to (you)) there|[a] b [c]|<a] b|[unclosed|(unclosed|()|() x)|a) b (c|[] x|<>|[a\nb]|(a\nb)
Hello, World!|What?! No...|a.b|end.|end..|e.g. this|i.e.|3.|....|a . b|.a|a.\n|a-b|a_b|a/b|"quoted"|“quoted”|‘q’|semi;colon:|@you #tag|a & b|c++|50/50
café|naïve|Ångström|façade|œuvre|Œuvre|Øl|Ærø|straße|STRASSE ẞ|đ Đ ð Ð þ Þ ł Ł|Łódź|smörgåsbord|piñata|e\u0301|q\u0307\u0323|ﬁne|ｆｕｌｌ|İstanbul|ΌΣΟΣ
5 € or 5 £|¥500|₹20|20 ¢|a€b|€€5|$$5|$5$|5%%|%|$|.|¢x|..5|$.5|$-5|-$5|50% off|5%off|x%y
the   many\tspaces\n here| leading|trailing |\u00a0nbsp\u00a0|a\u2003b|a\u200bb|zero\u200djoiner|a\u001fb|\u001f\u001fone|
日本語 テスト|привет, мир!|مرحبا بالعالم|हिन्दी में|한국어|ไทย|שלום|Ελληνικά|🙂 smile 👍🏽|tiếng Việt|Çok güzel|one 二 three|五百
""".strip("\n").replace("\n", "|").split("|")

BASIC = [
    "Hello, World!", "it's <b>bold</b> [noise] (laughs) ok", "(a (b) c) d", "<a] [b> c", "()", "[] []", "(unclosed", "",
    "  spaces \t and\nlines  ", "café naïve Ångström", "œuvre Øl Ærø straße ẞ Łódź þ Þ đ ð", "e\u0301q\u0307", "ﬁ ﬂ ½ ² ① Ⅷ ㎏ ㏂",
    "ｆｕｌｌ　ｗｉｄｔｈ！", "İstanbul ISPARTA ıi", "ΌΣΟΣ ΣΑΣ Σ", "日本語。テスト、「はい」", "かがき゛ガギ", "привет, мир! ё й", "مَرْحَبًا بالعالم",
    "हिन्दी में क्षत्रिय", "தமிழ் மொழி", "한국어 한글", "한글", "ไทยไทย เก่ง", "שָׁלוֹם", "🙂 👍🏽 👩‍👩‍👧 🇩🇪🇫🇷", "tiếng Việt Ǖ ṩ",
    "a_b-c/d\\e", "1,000.5% $5 €6", "x\u200dy z\u200cw a\u200bb", "\u001fa\u001f\u001fb\u00a0c", "x\r\ny", "don't 'quote' “this” …", "ĲĳǄǆ ŉ ſ", "𝔘𝔫𝔦 𝟙𝟚",
    "ᄒ\u1161\u11ab", "न\u200dम", "\u0600\u0661 ١", "a\u0300\u0301b", "ก\u0e33", "\U0001f1e9\U0001f1ea", "ß ŭ ñ ç ø", "ǅungla ƻ ʰ ˈ ː", "№ ™ © ℃", "ªº",
]


def texts(rng):
    """Texts by the normaliser that is asked about them."""
    number = lambda most: " ".join(
        rng.choice(rng.choices([ONES, TENS, MULTIPLIERS, ORDINALS, OTHER, PLAIN, WRITTEN], [6, 4, 4, 2, 5, 1, 2])[0])
        for _ in range(rng.randint(1, most))
    )
    english = [*NUMBERS, *WORDS, *SPELLED, *BASIC, *ORDINALS, *OTHER, *WRITTEN]
    english += [number(4) for _ in range(250)] + [number(9) for _ in range(250)]
    return {"english": list(dict.fromkeys(english)), "basic": [*BASIC, *dict.fromkeys(WORDS)]}

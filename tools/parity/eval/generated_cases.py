"""The texts that `generated_texts.py` has measured."""

CAPTIONS = [
    ["a man rides a wave on a surfboard", ["a man riding a wave on top of a surfboard", "a surfer rides a large wave in the ocean",
                                           "man on a surf board riding a wave", "a person surfing in the ocean", "the surfer is riding"]],
    ["two dogs play with a frisbee in the grass", ["two dogs are playing with a frisbee", "a brown dog and a white dog play in the park",
                                                   "dogs chasing a frisbee on green grass"]],
    ["a plate of food", ["a plate with pasta and broccoli on a wooden table", "pasta with vegetables on a white plate"]],
    ["a a a a a a a", ["a cat sits on a window sill", "the cat is looking out of a window"]],
    ["a bus", ["a red double decker bus drives down a street", "a bus on the street"]],
    ["", ["a baseball player swings his bat at a ball"]],
    ["a woman holding a red umbrella in the rain at night on a busy street with many cars and people around her",
     ["a woman holds an umbrella", "woman with a red umbrella"]],
    ["the cat sat on the mat", ["the cat sat on the mat"]],
]
NEWS = [
    ["The agreement, signed on 3 May 2021, covers 1,200.50 dollars-worth of goods.",
     ["The contract (signed on 3 May 2021) covers goods worth $1,200.50.", "Signed 3 May 2021, the deal covers goods of 1,200.50 dollars."]],
    ["He said: \"I don't know.\"", ["\"I don't know\", he said.", "He said that he did not know."]],
    ["The well-known author's books sold 10-20% better in 2020-2021.", ["Books by the well-known author sold 10-20 % better in 2020/21."]],
    ["AT&amp;T &lt;paid&gt; &quot;more&quot; & more", ["AT&T <paid> \"more\" and more"]],
    ["A line that is bro-\nken and goes\non <skipped> here.", ["A line that is broken and goes on here."]],
    ["e-mail me at a.b@c.org, o.k.?", ["E-Mail me at a.b@c.org, OK?", "mail me: a.b@c.org"]],
]
SUMMARIES = [
    ["The company reported rising profits.\nIts shares were trading higher.\nAnalysts had expected less.",
     ["Shares of the company traded higher after profits rose.\nAnalysts were expecting lower profits.",
      "Profits are rising.\nShares rise."]],
    ["police police police\nthe police killed the gunman\n\n", ["the gunman killed police\npolice killed the gunman", "police"]],
    ["w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", ["w1 w2 w3 w4 w5"]],
    ["The flies are flying; he tried, she dies, ties and lies in hopping hospitals.",
     ["A fly flew. He tries, she died, lying in a hospital, hoping.\nTied."]],
    ["\n\n", ["nothing\nat all"]],
    ["one line only", ["one\nline\nonly"]],
    ["The generalizations of nationalities were relatedly rational", ["General national relations are rationally generalized"]],
]
LANGUAGES = [
    ["猫坐在垫子上。", ["那只猫坐在垫子上。", "猫在垫子上坐着。"]],
    ["我爱北京天安门", ["我爱北京天安门"]],
    ["東京は 大きい 都市です", ["東京は大きな都市です"]],
    ["Der schnelle Fuchs springt über den faulen Hund.", ["Der flinke Fuchs springt über den trägen Hund."]],
    ["Быстрая лиса прыгает через ленивую собаку", ["Быстрая бурая лиса перепрыгнула через ленивую собаку", "лиса прыгает"]],
    ["naïve café cafe\u0301", ["naive cafe café"]],
    ["नमस्ते दुनिया", ["नमस्कार दुनिया"]],
    ["ΟΔΟΣ ΣΑΣ İstanbul", ["οδος σας istanbul"]],
    ["👩‍👩‍👧 ok 👍🏽", ["👩 ok 👍"]],
    ["a\u00a0b\u2003c\u200bd\x1fe", ["a b c d e"]],
    ["مرحبا بالعالم", ["مرحبا يا عالم"]],
]
EDGES = [
    ["", [""]], ["", ["", "a b"]], ["word", ["word"]], ["word", ["other"]], ["word", [""]], ["two words", ["two words"]],
    ["three short words", ["three short words"]], ["three short words", ["words short three"]],
    ["the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"]],
    ["It is a guide to action which ensures that the military always obeys the commands of the party",
     ["It is a guide to action that ensures that the military will forever heed Party commands",
      "It is the guiding principle which guarantees the military forces always being under the command of the Party",
      "It is the practical guide for the army always to heed the directions of the party"]],
    ["a b c d e f g h i j k l m n o p", ["a b c d"]], ["a b c d", ["a b c d e f g h i j k l m n o p"]],
    ["(hi) 'yes', -no- ... a! !a !", ["(hi) yes, no ... a !"]], [" leading and trailing \n", ["leading and trailing"]],
    ["?!", ["!?"]], ["a", ["a", "a", "a"]], ["x y", ["x y z", "x", "x y z w"]],
]


def drawn(rng, vocabulary, count, most_references, most_words):
    def sentence():
        return " ".join(rng.choice(vocabulary) for _ in range(rng.randrange(most_words + 1)))

    return [[sentence(), [sentence() for _ in range(rng.randint(1, most_references))]] for _ in range(count)]


def corpora(rng):
    cat = [["the cat is on the mat", ["the cat sat on the mat"]]]
    pictures = [["a cat sat on a mat", ["a cat on a mat", "the cat sat on the mat"]],
                ["a dog runs in a park", ["a dog runs in the park"]]]
    letters = ["a", "bb", "c", "d.", "E", "f,", "1", "2-3"]
    texts = ["runs", "running", "Ran", "dogs\n", "happily", "happy", "nation\n", "national", "nationally", "tried", "trying"]
    return [
        ("by hand", cat),
        ("two pictures", pictures),
        ("captions", CAPTIONS),
        ("news", NEWS),
        ("summaries", SUMMARIES),
        ("languages", LANGUAGES),
        ("edges", EDGES),
        *((f"one of the edges, {i}", [pair]) for i, pair in enumerate(EDGES)),
        ("one Chinese sentence", LANGUAGES[:1]),
        ("random, one reference", drawn(rng, letters, 9, 1, 14)),
        ("random, some references", drawn(rng, letters, 9, 4, 9)),
        ("random, two words", drawn(rng, letters[:2], 8, 3, 12)),
        ("random, endings", drawn(rng, texts, 8, 3, 12)),
    ]


ROOTS = """
    abil act adopt agr alli analog angular archaeolog attend bl bo calli cann caress ceas cit commun condition conflat control cr day defens
    depend di digit dr dy effect electr enjoy exc fail fall feed feud fil fizz fl form format gener geolog god gyroscop happ hes hiss hop
    hope homolog hopp how infer inn irrit ivy l log lov man ment mot motor nation oat out pl plast play pon predic probat proc r radic rat
    relat replac res reviv rol s sens shall siz sk sp st succ sw syzyg t tan th theolog trad tripl troub tr valen vietnam w x y yy
""".split()
ENDINGS = """
    . s es ies ss sses ed eed ied ing y ying ational tional tion ation ator alism ally alli bly bli ably abli ency enci ancy anci izer ize
    izing ized ently entli ely eli ously ousli ization iveness fulness ousness ality aliti ivity iviti bility biliti fully fulli logy logi
    icate ative alize iciti icity ical ful ness al ance ence er ic able ible ant ement ment ent sion ion ou ism ate iti ous ive e ee le ll
    lled tt tting zz w wing x xing yed 1 2s 3ing
""".split()


def words(rng):
    irregular = "sky skies dying lying tying news innings inning outings outing cannings canning howe proceed exceed succeed".split()
    made = {root + ending.strip(".") for root in ROOTS for ending in ENDINGS}
    made = sorted(word for word in made if len(word) > 3)
    return irregular + rng.sample(made, 780)


def answers(rng):
    by_hand = [
        "", "Yes.", "yes", " the  red car ", "a", "An apple and the pear", "two", "none", "Ten", "eleven", "1,000 people!", "1,000-2,000",
        "dont", "couldn'tve", "couldntve", "couldnt've", "somebody'd", "somebodyd've", "Im", "ive", "let's", "twas", "ow's'at", "yall'll",
        "oclock", "wheres", "3.5", "3.", ".5", "a.b.c", "u.s.a.", "...", "." * 40 + "x", "a. " * 40, "black/white", "black / white",
        "black /white", "t-shirt", "t - shirt", "what?", "[x]{y}(z)", "\"quoted\"", "a_b", "a=b+c", "a\\b", "<tag>", "me@home", "`tick`",
        "semi;colon", "semi; colon", "no!!", "50%", "$5.00", "#1", "7:30", "it's 5'8\"", "new\nline\ttab", "ÜBER Straße", "三 只 狗",
        "٣.٤", "a.٣", "one, two", "one,two", "1,2", "٣,٤ x-y", "the the", "None of the above", "can't", "cant", "\u00a0yes\u00a0",
    ]
    marks = ["a", "the", "two", "dont", "x", "3", "1,0", ".", ",", "-", "?", "'", "/ ", " ", " ", "ten.", "Y"]
    return by_hand + ["".join(rng.choice(marks) for _ in range(rng.randrange(1, 9))) for _ in range(80)]


def questions(rng):
    agreed = [["yes", ["yes"] * n + ["no"] * (10 - n)] for n in range(11)]
    same = [["Yes.", ["Yes."] * 10], ["yes", ["Yes."] * 10], ["Yes. ", ["Yes.\n"] * 10], ["", [""] * 10]]
    other = [
        ["two", ["2", "two", "Two.", "3", "three", "2", "many", "4", "2 ", "5"]],
        ["the t-shirt", ["t shirt", "T-Shirt", "a t-shirt", "shirt", "tshirt", "t shirts", "shirt", "shirt", "shirt", "shirt"]],
        ["dont know", ["don't know", "dont know", "DONT KNOW!", "no", "no", "no", "no", "no", "no", "no"]],
        ["none", ["0", "zero", "none", "no", "nothing", "0", "0", "0", "1", "1"]],
        ["x", ["x", "y", "x"]], ["x", ["x"]], ["x", ["x", "x"]], ["x", ["x", "x", "x", "x", "y"]],
    ]
    kinds = ["yes", "Yes", "yes.", "no", "a no", "two", "2"]
    random = [[rng.choice(kinds), [rng.choice(kinds) for _ in range(10)]] for _ in range(25)]
    return agreed + same + other + random

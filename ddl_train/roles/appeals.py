"""Appeals: phrases that speak to the judge instead of about the idea.

A short list in several languages. It stops the lazy attacks, which are the common ones; the critic's
prompt and the other guards stand behind it.
"""

import re
import unicodedata

_PATTERNS = (
    # English
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|rubric|criteria|guidelines|directions|the above|everything above)\b",
    r"\b(?:system|developer) (?:prompt|message)\b",
    r"\b(?:dear|attention|note to(?: the)?|hello,?|hey,?) (?:judges?|critics?|graders?|evaluators?|reviewers?)\b",
    r"\bas (?:an? |the )?(?:impartial |expert )?(?:ai\b|judge|grader|evaluator|language model)",
    r"\b(?:give|assign|award|rate|score|grade|mark) (?:this|it|me|us|my|all|every|each|the (?:idea|hypothesis|answer|proposal|conclusion|text))\b.{0,40}\b(?:10|ten|full marks|(?:highest|maximum|perfect|top|best)(?: possible)? (?:score|rating|marks?|points?))\b",
    r"\b(?:give|assign|award)\b (?:a |an |the )?(?:10|ten|full marks|(?:highest|maximum|perfect|top) (?:score|rating|marks?))\b",
    r"\b(?:deserves|worth|gets|earns|merits)\b (?:a |an |the )?(?:10|ten|full marks|(?:highest|maximum|perfect|top) (?:score|rating|marks?))\b",
    r"\b(?:score|rating|grade)s?\s*(?:is|are|of|should be|must be|[:=])\W{0,3}(?:10|9|8|ten)(?![\d.])",
    r"\b(?:novelty|coherence|utility)\W{0,4}(?:score|rating)?\s*(?:[:=]|is)\W{0,4}\d",
    r"\b10\s*(?:/|out of)\s*10\b",
    r"\byou (?:must|should|will|have to) (?:answer|respond|reply|output|score|rate)\b",
    r"\b(?:answer|respond|reply|output) (?:only )?(?:with )?(?:the (?:number|integer) )?\W?10\b",
    # Chinese, Japanese, Korean
    r"(?:忽略|无视|忽視|無視|忘记|忘記|不要理会).{0,12}(?:指令|指示|提示|要求|规则|規則|命令|以上内容|上述内容|プロンプト)",
    r"(?:给|給|打|评|評).{0,8}(?:10|满|滿|最高)\s*(?:分|點|点)|(?:打|评|評)(?:出|个|個)?十分",
    r"满分|滿分|満点",
    r"(?:评分|評分|得分|打分|採点|点数|スコア)\s*(?:为|為|是|は|[:：=])\s*(?:10|9|8|十)",
    r"10\s*点\s*(?:を|です|に)",
    r"(?:指示|命令|プロンプト).{0,6}(?:無視|忘れ)",
    r"(?:지시|명령|프롬프트).{0,6}(?:무시|잊)|(?:10\s*점|만점|최고점)",
    # German, French, Spanish, Italian, Portuguese
    r"\b(?:ignorier\w*|missachte\w*|vergiss)\b.{0,30}\b(?:anweisung\w*|vorgabe\w*|regeln|prompt)",
    r"\b(?:ignore[rz]?|ignora\w*|oubliez?|olvida\w*|dimentica\w*|esque[çc]a)\b.{0,30}\b(?:instru[cç]\w*|istruzion\w*|consignes?|ci-dessus)",
    r"\b(?:volle punktzahl|h[öo]chstnote|10 punkte|zehn punkte)\b",
    r"\b(?:note maximale|10 sur 10|dix sur dix|puntuaci[óo]n m[áa]xima|nota m[áa]xima|punteggio massimo)\b",
    # Russian, Arabic, Hindi
    r"(?:игнорируй\w*|забудь\w*).{0,30}(?:инструкци\w*|указани\w*)",
    r"\b(?:поставь|оцени)(?:те)?\b.{0,20}\b(?:10|десять|высш\w*|максимальн\w*)",
    r"تجاهل.{0,30}التعليمات",
    r"निर्देश.{0,30}(?:अनदेखा|नज़रअंदाज़)|(?:अनदेखा|नज़रअंदाज़).{0,30}निर्देश",
)  # fmt: skip
_APPEAL = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)


def find_appeal(text: str) -> str | None:
    """The first phrase that speaks to a judge, or None."""
    plain = " ".join(unicodedata.normalize("NFKC", text).split())
    found = _APPEAL.search(plain)
    return found.group()[:60] if found else None

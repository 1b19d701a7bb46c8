"""Write a made-up catalogue as a layout B document: `python benchmarks/generate.py COUNT FILE [WORDS]`.

Records are about 2.5 kB of mixed English and Chinese, the size of real ones; WORDS (380) is the length of each prompt.
The same numbers give the same bytes.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

_WORDS = (  # noqa: SIM905 (a text is read more easily than forty quoted words)
    "You are a careful assistant who reads the question twice answers in short sentences and names the source of each "
    "claim 产品 经理 分析 数据 提示词 翻译 代码 审查 测试 报告 总结 步骤 清单 用户 需求"
).split()
_STATUSES = ("published", "published", "published", "draft", "pending", "rejected")


def records(count: int, words: int = 380) -> Iterator[dict[str, object]]:
    """Yield `count` records in JSON names."""
    chance = random.Random(7)  # noqa: S311 (made-up texts, no secret)
    for number in range(count):
        prompt = " ".join(chance.choices(_WORDS, k=words))
        moment = f"2025-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:30:00.000Z"
        yield {
            "id": f"ast_{number:07}",
            "title": " ".join(chance.choices(_WORDS, k=4)),
            "desc": " ".join(chance.choices(_WORDS, k=12)),
            "emoji": chance.choice("🤖🚀📊🐛🎓⚖️"),
            "prompt": prompt,
            "tags": chance.sample(_WORDS, 3),
            "isPublic": number % 3 == 0,
            "status": _STATUSES[number % len(_STATUSES)],
            "author": f"author-{number % 50}",
            "createdAt": moment,
            "updatedAt": moment,
            "version": 1 + number % 9,
        }


def main() -> None:
    """Write the file named on the command line."""
    count, path, words = int(sys.argv[1]), Path(sys.argv[2]), [int(each) for each in sys.argv[3:4]]
    with path.open("w", encoding="utf-8") as out:
        out.write(f'{{"version": "1.0", "exportedAt": "2026-01-15T10:30:00.000Z", "count": {count}, "assistants": [\n')
        for number, record in enumerate(records(count, *words)):
            out.write(("," if number else "") + json.dumps(record, ensure_ascii=False) + "\n")
        out.write("]}\n")


if __name__ == "__main__":
    main()

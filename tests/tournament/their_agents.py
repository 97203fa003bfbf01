"""Agents that behave as the organisers' own do, by tournament/rules.md, to be put in the place of ours.

They take their settings, topics and prompts from the folder, send lists of prompts to our model files, extend their
results by what comes back, generate the last batch twice when it is not full, and have what is no JSON repaired.
"""

COMMON = """
import argparse, json, random
from pathlib import Path
import yaml
from utils.build_prompt import auto_json, option_extractor_prompt

parser = argparse.ArgumentParser()
parser.add_argument("--input_file")
parser.add_argument("--output_file", required=True)
parser.add_argument("--num_questions", type=int)
parser.add_argument("--batch_size", type=int, default=5)
parser.add_argument("--verbose", action="store_true")
options = parser.parse_args()

def settings(name):
    return {"tgps_show": True, **yaml.safe_load(Path(name).read_text())}

def generate(agent, prompts, system, **kwargs):
    found = []
    for start in range(0, len(prompts), options.batch_size):
        texts, tokens, seconds = agent.generate_response(prompts[start:start + options.batch_size], system, **kwargs)
        assert isinstance(tokens, int) and seconds >= 0
        found.extend(texts)
    if len(prompts) % options.batch_size:
        agent.generate_response(prompts[-(len(prompts) % options.batch_size):], system, **kwargs)
    return found

def parsed(agent, text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return agent.generate_response(auto_json(text))

def tokens(agent, text):
    return len(agent.tokenizer.encode(text, add_special_tokens=False))

def write_both(rows, kept):
    output = Path(options.output_file)
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(rows, indent=4))
    output.with_name("filtered_" + output.name).write_text(json.dumps(kept, indent=4))
"""

ANSWER = (
    "from .answer_model import AAgent\n"
    + COMMON
    + """
if __name__ == "__main__":
    questions = json.loads(Path(options.input_file).read_text())
    agent = AAgent(select_prompt=True)
    prompts = [
        "INSTRUCTIONS: think, then choose.\\n\\nNow answer the following question:\\n"
        f"Question: {row['question']}\\nChoices: {' '.join(row['choices'])}\\n\\n"
        'RESPONSE FORMAT: a JSON object\\n{"answer": "One of the letters A, B, C, D", "reasoning": "..."}'
        for row in questions
    ]
    rows = [parsed(agent, text) for text in generate(agent, prompts, "You are an expert.", **settings("agen.yaml"))]
    for question, row in zip(questions, rows):
        if len(row["answer"]) != 1:
            row["answer"] = agent.generate_response(option_extractor_prompt(row["answer"], question["choices"]))
    kept = [row if row["answer"] in "ABCDabcd" and tokens(agent, row["reasoning"]) < 462 else None for row in rows]
    write_both(rows, kept)
"""
)

QUESTION = (
    "from .question_model import QAgent\n"
    + COMMON
    + """
if __name__ == "__main__":
    topics = json.loads(Path("assets/topics.json").read_text())
    examples = json.loads(Path("assets/topics_example.json").read_text())
    paths = [(category, name) for category, names in topics.items() for name in names]
    agent = QAgent(select_prompt=True)
    prompts, letters = [], []
    for number in range(options.num_questions):
        category, name = random.choice(paths)
        letters.append(random.choice("ABCD"))
        prompts.append(
            f"Generate an EXTREMELY DIFFICULT MCQ on topic: {category}/{name}.\\n\\n"
            f"1. Ensure that option {letters[-1]} is only factually correct.\\n"
            f"EXAMPLE: {json.dumps(random.choice(examples[name]), indent=4)}\\n\\n"
            f'RESPONSE FORMAT:\\n{{"topic": "{name}", "question": "...", "choices": ["A) ...", "B) ...", "C) ...", '
            f'"D) ..."], "answer": "{letters[-1]}", "explanation": "..."}}'
        )
    rows = [parsed(agent, text) for text in generate(agent, prompts, "You are an examiner.", **settings("qgen.yaml"))]
    assert [row["answer"] for row in rows] == letters
    write_both(rows, [row for row in rows if sum(tokens(agent, text) for text in row["choices"]) < 1000])
"""
)

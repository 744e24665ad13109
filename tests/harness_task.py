"""Tasks as lm-evaluation-harness reads them from a file: choosing, writing, reading."""

import json
from pathlib import Path

FORMATS = {
    "choose": "output_type: multiple_choice\ndoc_to_choice: choices\ndoc_to_target: gold\n",
    "write": 'output_type: generate_until\ndoc_to_target: "{{choices[gold]}}"\n'
    'generation_kwargs: {until: ["."], max_gen_toks: 12, do_sample: false}\n'
    "metric_list: [{metric: exact_match}]\n",
    "read": 'output_type: loglikelihood_rolling\ndoc_to_target: "{{question}}"\n'
    "metric_list: [{metric: word_perplexity}]\n",
}


def make_task(folder: Path, name: str) -> str:
    """A task of six questions, in a file as the library reads them."""
    questions = [
        {"question": f"what lowers {n}?", "choices": ["zorol", "vakase", f"miritis {n}"], "gold": 1}
        for n in range(6)
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions))
    path = folder / f"{name}.yaml"
    doc_to_text = '""' if name == "read" else '"Question: {{question}}\\nAnswer:"'
    path.write_text(
        f"task: {name}\ndataset_path: json\ndataset_kwargs:\n"
        f"  data_files: {{test: {folder / 'data.jsonl'}}}\ntest_split: test\n"
        f"doc_to_text: {doc_to_text}\n{FORMATS[name]}"
    )
    return str(path)

"""What the agents of a submission folder begin with, in tests: the organisers' options, and a way to write rows."""

READ_OPTIONS = """
    import argparse, json, os, subprocess, sys, time
    from pathlib import Path
    parser = argparse.ArgumentParser()
    parser.add_argument("--input_file")
    parser.add_argument("--output_file", required=True)
    parser.add_argument("--num_questions", type=int)
    parser.add_argument("--batch_size", type=int, required=True)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    def write(rows):
        Path(options.output_file).write_text(json.dumps(rows))
"""

"""Curation: from raw question sources to train.parquet and validation.parquet with a data card."""

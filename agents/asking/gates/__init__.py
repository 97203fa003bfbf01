"""The checks between a draft and a question that may be asked, one file each."""

"""The vocabulary of a Q&A agent: questions, answers, rules, numbers. Imports no other room of agents/."""

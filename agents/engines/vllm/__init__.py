"""The vLLM engine, started by this process on CUDA, ROCm or a CPU."""

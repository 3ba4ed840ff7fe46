# kapok_fuzzer(<name of tests/fuzz/<name>.cpp> <folders it links>)

# kapok_fuzzer(<name of tests/fuzz/<name>.cpp> <folders it links>)
kapok_fuzzer(http_request server/picture/protocols/http)

raise "it is a test of a release that does not load"

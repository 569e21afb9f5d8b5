# Replaced soon.

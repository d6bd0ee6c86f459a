"""The app of `antrax extract-trainset`: what a browser needs to label tracklets and to judge a classification.

Everything of the web is in here; what a person does at a session, and what becomes of it on disk, is in
`antrax.review`.
"""

"""What a person does at a session: going through tracklets, labelling, checking. No web in here."""

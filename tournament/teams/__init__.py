"""Teams of every kind behind one protocol: services, submission folders, question files, opponents made here."""

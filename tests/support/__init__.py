"""What tests on the embedded chain share: a deployed market, its members and what they sign."""

"""What stands beside a meter: takes its telegrams over MQTT, signs its registers, and carries them to a gateway."""

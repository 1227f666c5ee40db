"""What watches over the installation: alerts that staff must see to."""

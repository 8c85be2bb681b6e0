"""Acceleration by depth: figures of Arora, Cohen, Hazan, 2018."""

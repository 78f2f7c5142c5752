"""campus"""

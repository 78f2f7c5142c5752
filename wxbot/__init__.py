"""wxbot"""

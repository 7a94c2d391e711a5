"""What the gateway answers itself, under full paths."""

from fastapi import APIRouter

router = APIRouter()

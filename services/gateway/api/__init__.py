"""What the gateway answers itself, under full paths."""

from fastapi import APIRouter

from services.gateway.api import auth, deadletters, desks, events, page, posts, progress, roster, schools, setup, sources, users

router = APIRouter()
router.include_router(events.router)
router.include_router(auth.router)
router.include_router(schools.router)
router.include_router(setup.router)
router.include_router(sources.router)
router.include_router(users.router)
router.include_router(deadletters.router)
router.include_router(progress.router)
router.include_router(desks.router)
router.include_router(roster.router)
router.include_router(posts.router)
router.include_router(page.router)
